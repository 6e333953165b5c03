"""The tables of collections, embedding spaces, generations, and the content of a generation."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ragline.storage.schema.columns import (
    SCHEMA,
    count_column,
    created_at_column,
    id_column,
    metadata,
    reference_column,
    time_column,
)

collections = Table(
    "collections",
    metadata,
    id_column(),
    Column("name", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False, server_default="default"),
    Column(
        "live_generation_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.generations.id", use_alter=True),
        nullable=True,
    ),
    created_at_column(),
    # The last failure to create or build the configured generation. It is null after a success.
    Column("build_error_name", Text, nullable=True),
    Column("build_error", Text, nullable=True),
    time_column("build_error_since"),
    time_column("build_error_at"),
)

embedding_spaces = Table(
    "embedding_spaces",
    metadata,
    id_column(),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("description", JSONB, nullable=False),
    created_at_column(),
)

generations = Table(
    "generations",
    metadata,
    id_column(),
    reference_column("collection_id", "collections"),
    reference_column("embedding_space_id", "embedding_spaces"),
    Column("chunker_fingerprint", Text, nullable=False),
    Column("chunking", JSONB, nullable=False),
    Column("language", Text, nullable=False),
    # Null if the generation is older than the text analysis. Postgres then parses the raw text.
    Column("analysis_version", Text, nullable=True),
    Column("state", Text, nullable=False),
    # BM25 needs the number of entries and their average length. Each write of entries updates both.
    count_column("entry_count"),
    count_column("lexeme_count"),
    Column("weighted_length", Double, nullable=True),
    created_at_column(),
    time_column("promoted_at"),
    time_column("retired_at"),
    # The last time at which the two counts were compared with the entries.
    time_column("counted_at"),
    # Since when an operator has decided against the generation. A sync does not promote it.
    time_column("held_at"),
    # The last creation of the vector index. Null if it was not recorded.
    Column("vector_index_entries", BigInteger, nullable=True),
    Column("vector_index_seconds", Double, nullable=True),
    CheckConstraint(
        "state in ('building', 'candidate', 'live', 'retired', 'refused', 'abandoned', 'dropped')",
        name="state",
    ),
    CheckConstraint("held_at is null or state <> 'live'", name="held"),
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

generation_transitions = Table(
    "generation_transitions",
    metadata,
    Column("from_state", Text, primary_key=True),
    Column("to_state", Text, primary_key=True),
)

generation_events = Table(
    "generation_events",
    metadata,
    id_column(),
    # Without a foreign key, so that the trail outlives the rows that it describes.
    Column("generation_id", BigInteger, nullable=False),
    # Null for the creation of the generation.
    Column("from_state", Text, nullable=True),
    Column("to_state", Text, nullable=False),
    Column(
        "changed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=True),
    # The report of the gate that a promotion is based on. Without a foreign key, as above.
    Column("report_id", BigInteger, nullable=True),
    Column("is_forced", Boolean, nullable=False, server_default=text("false")),
    Index(None, "generation_id"),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column(
        "generation_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.generations.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("mode", Text, primary_key=True),
    Column("is_reranked", Boolean, primary_key=True),
    # Null if the golden set is too small. The reason then says what is missing.
    Column("model", JSONB, nullable=True),
    Column("reason", Text, nullable=True),
    Column("figures", JSONB, nullable=False),
    Column("golden_set_version", Text, nullable=False),
    Column("settings_fingerprint", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    created_at_column(),
    CheckConstraint("(model is null) = (reason is not null)", name="reason"),
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
    reference_column("chunking_id", "chunkings"),
    Column("content_hash", Text, nullable=False),
    Column("entry_count", Integer, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attributes_hash", Text, nullable=False, server_default=text("''")),
    Column("analysis_version", Text, nullable=True),
    Index(None, "document_key"),
)
