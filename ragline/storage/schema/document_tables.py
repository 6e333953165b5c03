"""The tables of sources, the ledger of documents, parses, chunks and embeddings."""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ragline.storage.schema.columns import (
    SCHEMA,
    created_at_column,
    id_column,
    metadata,
    reference_column,
    time_column,
)

sources = Table(
    "sources",
    metadata,
    id_column(),
    reference_column("collection_id", "collections"),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("visible_within", Interval, nullable=False),
    Column("forgotten_within", Interval, nullable=False),
    time_column("listed_at"),
    created_at_column(),
    time_column("first_listed_at"),
    # A probe has this result if the source did not change after its last listing.
    Column("listed_probe", Text, nullable=True),
    # The last time at which a listing or a probe showed that the ledger has all changes.
    time_column("proven_at"),
    time_column("unreachable_since"),
    Column("unreachable_error", Text, nullable=True),
    # The settings from which the metadata and principals of the documents were computed.
    Column("attributes_fingerprint", Text, nullable=True),
    # The size limit of the last sync.
    Column("max_document_bytes", BigInteger, nullable=True),
    # The blocking checks that failed at their last evaluation. They prevent a promotion.
    Column("failed_checks", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
)

documents = Table(
    "documents",
    metadata,
    id_column(),
    reference_column("source_id", "sources"),
    Column("document_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    # The version in the last listing, and the version that was read last. They differ while a
    # change is pending.
    Column("version", Text, nullable=False),
    Column("read_version", Text, nullable=True),
    Column("read_by", Text, nullable=True),
    Column("content_hash", Text, nullable=True),
    reference_column("parse_id", "parses", nullable=True),
    # The hash of the bytes of the parse `parse_id`. After a failure, it differs from content_hash.
    Column("parsed_content_hash", Text, nullable=True),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("error_name", Text, nullable=True),
    Column("error", Text, nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time_column("next_attempt_at"),
    # The time of the change in the source, and the time of the first listing that showed it.
    time_column("changed_at"),
    Column("noticed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    time_column("missing_since"),
    time_column("visible_at"),
    time_column("removed_at"),
    # Values from the document itself. `metadata` and `principals` combine them with the
    # configuration.
    Column("own_metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("own_principals", ARRAY(Text), nullable=True),
    Column("principals", ARRAY(Text), nullable=True),
    Column("attributes_hash", Text, nullable=False, server_default=text("''")),
    # The start of the clock of the pending change.
    time_column("clock_started_at"),
    # The time since which the removal of the document is held.
    time_column("held_since"),
    UniqueConstraint("source_id", "document_id"),
    CheckConstraint(
        "state in ('pending', 'ready', 'failed', 'quarantined', 'unsupported', 'missing', "
        "'removed')",
        name="state",
    ),
    Index(None, "parse_id"),
    Index("documents_source_id_idx", "source_id", postgresql_where=text("state <> 'ready'")),
    Index(
        "documents_held_since_idx",
        "source_id",
        postgresql_where=text("held_since is not null"),
    ),
)

document_transitions = Table(
    "document_transitions",
    metadata,
    Column("from_state", Text, primary_key=True),
    Column("to_state", Text, primary_key=True),
)

parses = Table(
    "parses",
    metadata,
    id_column(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("parser_fingerprint", Text, nullable=False),
    Column("file_type", Text, nullable=False),
    Column("title", Text, nullable=True),
    Column("language", Text, nullable=True),
    Column("page_count", Integer, nullable=True),
    Column("text", Text, nullable=False),
    Column("elements", JSONB, nullable=False),
    created_at_column(),
    time_column("unreferenced_since"),
)

chunkings = Table(
    "chunkings",
    metadata,
    id_column(),
    reference_column("parse_id", "parses"),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    created_at_column(),
    UniqueConstraint("parse_id", "chunker_fingerprint"),
)

chunks = Table(
    "chunks",
    metadata,
    id_column(),
    reference_column("chunking_id", "chunkings"),
    Column("ordinal", Integer, nullable=False),
    Column("header", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),
    Column("heading_path", ARRAY(Text), nullable=False),
    Column("page", Integer, nullable=True),
    Column("char_start", Integer, nullable=False),
    Column("char_end", Integer, nullable=False),
    Column("token_count", Integer, nullable=False),
    UniqueConstraint("chunking_id", "ordinal"),
    Index(None, "text_hash"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column(
        "embedding_space_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.embedding_spaces.id"),
        primary_key=True,
    ),
    Column("text_hash", LargeBinary, primary_key=True),
    Column("embedding", HALFVEC, nullable=False),
    created_at_column(),
    time_column("unreferenced_since"),
)

embedding_requests = Table(
    "embedding_requests",
    metadata,
    Column(
        "embedding_space_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.embedding_spaces.id"),
        primary_key=True,
    ),
    Column("text_hash", LargeBinary, primary_key=True),
    Column("token_count", Integer, nullable=False),
    Index(
        "embedding_requests_embedding_space_id_token_count_idx",
        "embedding_space_id",
        "token_count",
    ),
)

pushed_documents = Table(
    "pushed_documents",
    metadata,
    Column("source", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("content", LargeBinary, nullable=True),
    Column("content_hash", Text, nullable=True),
    Column("name", Text, nullable=False),
    Column("is_text", Boolean, nullable=False),
    Column("title", Text, nullable=True),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("principals", ARRAY(Text), nullable=True),
    Column("version", BigInteger, nullable=False),
    time_column("changed_at", nullable=False),
    time_column("deleted_at"),
    Column("tenant", Text, nullable=False, server_default="default"),
    Index(
        "pushed_documents_source_version_idx",
        "source",
        "version",
        postgresql_where=text("deleted_at is null"),
    ),
)

push_versions = Sequence("push_versions", metadata=metadata)

source_notes = Table(
    "source_notes",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
