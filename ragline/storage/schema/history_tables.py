"""The tables of records about syncs: reports, clock readings, sync proofs, removal receipts."""

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
    id_column,
    metadata,
    source_column,
    time_column,
)

source_syncs = Table(
    "source_syncs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("source_id", BigInteger, ForeignKey(f"{SCHEMA}.sources.id"), primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    time_column("finished_at"),
    Column("error", Text, nullable=True),
    *(
        count_column(name)
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
    # The version of the code of the run. Null in runs of releases up to 0.5.0.
    Column("code_version", Text, nullable=True),
    Index(None, "source_id", "started_at"),
)

clock_readings = Table(
    "clock_readings",
    metadata,
    id_column(),
    source_column(),
    Column("document_id", Text, nullable=False),
    Column("clock", Text, nullable=False),
    time_column("started_at", nullable=False),
    time_column("noticed_at", nullable=False),
    time_column("stopped_at", nullable=False),
    Column("run_id", Text, nullable=True),
    CheckConstraint("clock in ('visible', 'forgotten')", name="clock"),
    Index("clock_readings_source_id_clock_stopped_at_idx", "source_id", "clock", "stopped_at"),
)

sync_proofs = Table(
    "sync_proofs",
    metadata,
    id_column(),
    source_column(),
    Column("run_id", Text, nullable=True),
    Column("proven_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("is_listed", Boolean, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("hashed_documents", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("largest_unseen_ratio", Double, nullable=False),
    Column("difference_count", BigInteger, nullable=False),
    Column("source_error", Text, nullable=True),
    # `differences` has only the faults. `findings` has all differences, for the comparison with the
    # next proof.
    Column("differences", JSONB, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Index("sync_proofs_source_id_proven_at_idx", "source_id", "proven_at"),
)

removal_receipts = Table(
    "removal_receipts",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("removed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("counts", JSONB, nullable=False),
)
