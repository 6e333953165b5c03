"""The tables of records about searches: requests, feedback, shadow reads, watches, evaluations."""

from __future__ import annotations

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
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from ragline.storage.schema.columns import SCHEMA, id_column, metadata, time_column

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
    # A hash of the client with the salt of the day. It is never a key or an address.
    Column("client", Text, nullable=True),
    Column("stale_count", Integer, nullable=False, server_default=text("0")),
    # Whether the caller belongs to the canary. `generation_id` says which generation answered.
    Column("is_canary", Boolean, nullable=False, server_default=text("false")),
    # Hits were found, and `min_confidence` removed all of them.
    Column("is_abstained", Boolean, nullable=False, server_default=text("false")),
    # The highest confidence of the hits before `min_confidence` removed any. Null without one.
    Column("best_confidence", REAL, nullable=True),
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

# The view given_feedback combines this table and feedback.
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

shadow_reads = Table(
    "shadow_reads",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    # The id of the live search. Without a foreign key, because its record is written later, or is
    # lost.
    Column("request_id", UUID(as_uuid=True), nullable=False),
    time_column("read_at", nullable=False),
    Column("collection", Text, nullable=False),
    Column("tenant", Text, nullable=True),
    Column("live_generation_id", BigInteger, nullable=False),
    Column("candidate_id", BigInteger, nullable=False),
    Column("live_ms", REAL, nullable=False),
    Column("live_hits", Integer, nullable=False),
    Column("candidate_ms", REAL, nullable=True),
    Column("candidate_hits", Integer, nullable=True),
    Column("overlap", REAL, nullable=True),
    Column("rank_biased_overlap", REAL, nullable=True),
    # The name of an error, without its message. It is null if the candidate answered.
    Column("error", Text, nullable=True),
    CheckConstraint("(error is null) = (candidate_ms is not null)", name="outcome"),
    Index(None, "candidate_id", "read_at"),
    Index(None, "read_at"),
)

# One row for each promoted generation, without a foreign key: a generation can be dropped.
promotion_watches = Table(
    "promotion_watches",
    metadata,
    Column("generation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("collection", Text, nullable=False),
    # The searches before this time are not counted, because an earlier breach has ended.
    time_column("watched_from", nullable=False),
    time_column("checked_at", nullable=False),
    # Since when the figures are worse than before. It is null without a breach.
    time_column("breached_at"),
    Column("breached_figures", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("reason", Text, nullable=True),
    Column("rollback_error", Text, nullable=True),
    Column("figures", JSONB, nullable=False),
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
    id_column(),
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
    # What the figures depend on. Null in the evaluations of releases up to 0.5.0.
    Column("space_fingerprint", Text, nullable=True),
    Column("chunker_fingerprint", Text, nullable=True),
    Column("parser_fingerprints", ARRAY(Text), nullable=True),
    Column("content_fingerprint", Text, nullable=True),
    Column("code_version", Text, nullable=True),
    Column("golden_folder", Text, nullable=True),
    Column("split", Text, nullable=True),
    Column("settings", JSONB, nullable=True),
    # Null if the evaluation used no random numbers.
    Column("seed", BigInteger, nullable=True),
    Column("unanswerable_count", Integer, nullable=True),
    Column("unanswerable_hit_count", Integer, nullable=True),
    # The values of each measure by query id.
    Column("query_values", JSONB, nullable=True),
    Index(None, "collection", "evaluated_at"),
)
