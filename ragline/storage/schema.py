"""The shared tables, as SQLAlchemy Core sees them.

The migrations under sql/migrations make these tables; a test compares the two. The table of
a generation's entries is not here: each generation has its own, made from sql/generation.sql.
"""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

SCHEMA = "ragline"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)


def _key() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _refers(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{SCHEMA}.{target}.id"), nullable=nullable)


def _moment(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _created_at() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _belongs_to_source() -> Column[int]:
    return Column(
        "source_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.sources.id", ondelete="CASCADE"),
        nullable=False,
    )


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


collections = Table(
    "collections",
    metadata,
    _key(),
    Column("name", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False, server_default="default"),
    Column(
        "live_generation_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.generations.id", use_alter=True),
        nullable=True,
    ),
    _created_at(),
    # The last failure to open or build what the configuration asks for; null when it worked.
    Column("build_error_name", Text, nullable=True),
    Column("build_error", Text, nullable=True),
    _moment("build_error_since"),
    _moment("build_error_at"),
)

embedding_spaces = Table(
    "embedding_spaces",
    metadata,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("description", JSONB, nullable=False),
    _created_at(),
)

generations = Table(
    "generations",
    metadata,
    _key(),
    _refers("collection_id", "collections"),
    _refers("embedding_space_id", "embedding_spaces"),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("chunking", JSONB, nullable=False),
    Column("language", Text, nullable=False),
    # Null: the raw text went to Postgres, as it did before there was an analysis.
    Column("analysis_version", Text, nullable=True),
    Column("state", Text, nullable=False),
    # BM25 needs the entry count and the average length; both are kept with the entries.
    _count("entry_count"),
    _count("lexeme_count"),
    Column("weighted_length", Double, nullable=True),
    _created_at(),
    _moment("promoted_at"),
    _moment("retired_at"),
    # When the two counts were last compared with the entries themselves.
    _moment("counted_at"),
    CheckConstraint(
        "state in ('building', 'live', 'retired', 'abandoned', 'dropped')", name="state"
    ),
    Index(
        "generations_target_key",
        "collection_id",
        "embedding_space_id",
        "chunker_fingerprint",
        "language",
        unique=True,
        postgresql_where=text("state <> 'dropped'"),
    ),
)

lexemes = Table(
    "lexemes",
    metadata,
    Column(
        "generation_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.generations.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("lexeme", Text, primary_key=True),
    Column("document_frequency", BigInteger, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    _key(),
    _refers("collection_id", "collections"),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("visible_within", Interval, nullable=False),
    Column("forgotten_within", Interval, nullable=False),
    _moment("listed_at"),
    _created_at(),
    _moment("first_listed_at"),
    # What a probe says of the source while it is as it was listed last.
    Column("listed_probe", Text, nullable=True),
    # The last moment at which a listing or a probe showed that nothing else had changed.
    _moment("proven_at"),
    _moment("unreachable_since"),
    Column("unreachable_error", Text, nullable=True),
    # The configuration that the attributes of the source's documents were made with.
    Column("attributes_fingerprint", Text, nullable=True),
    # The largest document that it was last read with.
    Column("max_document_bytes", BigInteger, nullable=True),
)

parses = Table(
    "parses",
    metadata,
    _key(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("parser_fingerprint", Text, nullable=False),
    Column("file_type", Text, nullable=False),
    Column("title", Text, nullable=True),
    Column("language", Text, nullable=True),
    Column("page_count", Integer, nullable=True),
    Column("text", Text, nullable=False),
    Column("elements", JSONB, nullable=False),
    _created_at(),
    _moment("unreferenced_since"),
)

documents = Table(
    "documents",
    metadata,
    _key(),
    _refers("source_id", "sources"),
    Column("document_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    # The version last listed and the version last read; they differ while work is waiting.
    Column("version", Text, nullable=False),
    Column("read_version", Text, nullable=True),
    Column("read_by", Text, nullable=True),
    Column("content_hash", Text, nullable=True),
    _refers("parse_id", "parses", nullable=True),
    # The bytes that parse_id was read from; they lag behind content_hash after a failure.
    Column("parsed_content_hash", Text, nullable=True),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("error_name", Text, nullable=True),
    Column("error", Text, nullable=True),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _moment("next_attempt_at"),
    # When the source says the version was made, and when a listing first showed it.
    _moment("changed_at"),
    Column("noticed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("missing_since"),
    _moment("visible_at"),
    _moment("removed_at"),
    # What the document itself says; `metadata` and `principals` are that and the configuration.
    Column("own_metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("own_principals", ARRAY(Text), nullable=True),
    Column("principals", ARRAY(Text), nullable=True),
    Column("attributes_hash", Text, nullable=False, server_default=text("''")),
    # From when on the clock of the change that is under way runs.
    _moment("clock_started_at"),
    # Since when a listing lacks the document and its removal waits for somebody's word.
    _moment("held_since"),
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

generation_transitions = Table(
    "generation_transitions",
    metadata,
    Column("from_state", Text, primary_key=True),
    Column("to_state", Text, primary_key=True),
)

chunkings = Table(
    "chunkings",
    metadata,
    _key(),
    _refers("parse_id", "parses"),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    _created_at(),
    UniqueConstraint("parse_id", "chunker_fingerprint"),
)

chunks = Table(
    "chunks",
    metadata,
    _key(),
    _refers("chunking_id", "chunkings"),
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
    _created_at(),
    _moment("unreferenced_since"),
)

placements = Table(
    "placements",
    metadata,
    Column(
        "generation_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.generations.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "document_key",
        BigInteger,
        ForeignKey(f"{SCHEMA}.documents.id"),
        primary_key=True,
    ),
    _refers("chunking_id", "chunkings"),
    Column("content_hash", Text, nullable=False),
    Column("entry_count", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attributes_hash", Text, nullable=False, server_default=text("''")),
    Column("analysis_version", Text, nullable=True),
    Index(None, "document_key"),
)

source_syncs = Table(
    "source_syncs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("source_id", BigInteger, ForeignKey(f"{SCHEMA}.sources.id"), primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("finished_at"),
    Column("error", Text, nullable=True),
    *(
        _count(name)
        for name in (
            "listed",
            "added",
            "changed",
            "unchanged",
            "removed",
            "held",
            "failed",
            "quarantined",
            "unsupported",
            "chunks",
            "embeddings_made",
            "embeddings_reused",
        )
    ),
    Column("seconds", Double, nullable=False, server_default=text("0")),
    Column("build_left", Integer, nullable=True),
    Index(None, "source_id", "started_at"),
)

search_requests = Table(
    "search_requests",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("requested_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("collection", Text, nullable=False),
    Column("generation_id", BigInteger, nullable=False),
    Column("query", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("top_k", Integer, nullable=False),
    Column("is_reranked", Boolean, nullable=False),
    Column("hit_count", Integer, nullable=False),
    Column("embed_ms", REAL, nullable=False),
    Column("retrieve_ms", REAL, nullable=False),
    Column("rerank_ms", REAL, nullable=False),
    Column("total_ms", REAL, nullable=False),
    Column("hits", JSONB, nullable=False),
    Column("trace_id", Text, nullable=True),
    Column("tenant", Text, nullable=True),
    # A hash under the day's salt, never a key or an address.
    Column("client", Text, nullable=True),
    Column("stale_count", Integer, nullable=False, server_default=text("0")),
    Index(None, "requested_at"),
    Index(None, "collection", "requested_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column(
        "request_id",
        UUID(as_uuid=True),
        ForeignKey(f"{SCHEMA}.search_requests.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("document_id", Text, primary_key=True),
    Column("is_useful", Boolean, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("rank", Integer, nullable=True),
)

# The view given_feedback shows both tables in one shape.
hit_feedback = Table(
    "hit_feedback",
    metadata,
    Column(
        "request_id",
        UUID(as_uuid=True),
        ForeignKey(f"{SCHEMA}.search_requests.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("document_id", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("is_useful", Boolean, nullable=True),
    Column("given_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("kind in ('click', 'answer_used', 'verdict')", name="kind"),
    CheckConstraint("(kind = 'verdict') = (is_useful is not null)", name="is_useful"),
)

client_salts = Table(
    "client_salts",
    metadata,
    Column("day", Date, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
)

quality_figures = Table(
    "quality_figures",
    metadata,
    Column("collection", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("figures", JSONB, nullable=False),
    Column("run_id", Text, nullable=True),
    Column("measured_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

evaluations = Table(
    "evaluations",
    metadata,
    _key(),
    Column("run_id", Text, nullable=True),
    Column("collection", Text, nullable=False),
    Column("generation_id", BigInteger, nullable=False),
    Column("golden_hash", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("is_reranked", Boolean, nullable=False),
    Column("measures", JSONB, nullable=False),
    Column("query_count", Integer, nullable=False),
    Column("failed_count", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("evaluated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "collection", "evaluated_at"),
)

clock_readings = Table(
    "clock_readings",
    metadata,
    _key(),
    _belongs_to_source(),
    Column("document_id", Text, nullable=False),
    Column("clock", Text, nullable=False),
    _moment("started_at", nullable=False),
    _moment("noticed_at", nullable=False),
    _moment("stopped_at", nullable=False),
    Column("run_id", Text, nullable=True),
    CheckConstraint("clock in ('visible', 'forgotten')", name="clock"),
    Index("clock_readings_source_id_clock_stopped_at_idx", "source_id", "clock", "stopped_at"),
)

sync_proofs = Table(
    "sync_proofs",
    metadata,
    _key(),
    _belongs_to_source(),
    Column("run_id", Text, nullable=True),
    Column("proven_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("is_listed", Boolean, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("hashed_documents", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("largest_unseen_ratio", Double, nullable=False),
    Column("difference_count", BigInteger, nullable=False),
    Column("source_error", Text, nullable=True),
    # The faults alone; `findings` are all differences, as they are compared with the next proof's.
    Column("differences", JSONB, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Index("sync_proofs_source_id_proven_at_idx", "source_id", "proven_at"),
)

removal_receipts = Table(
    "removal_receipts",
    metadata,
    _key(),
    Column("source", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("removed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("counts", JSONB, nullable=False),
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
    _moment("changed_at", nullable=False),
    _moment("deleted_at"),
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

api_keys = Table(
    "api_keys",
    metadata,
    _key(),
    Column("name", Text, nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("collections", ARRAY(Text), nullable=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("principals", ARRAY(Text), nullable=True),
    Column("requests_per_minute", Integer, nullable=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _moment("expires_at"),
    _moment("revoked_at"),
)

audit_events = Table(
    "audit_events",
    metadata,
    _key(),
    Column("happened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("request_id", Text, nullable=False),
    Column("key_id", Text, nullable=True),
    Column("tenant", Text, nullable=True),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("collection", Text, nullable=True),
    Column("generation_id", BigInteger, nullable=True),
    Column("status", Integer, nullable=False),
    Index("audit_events_happened_at_idx", "happened_at"),
)
