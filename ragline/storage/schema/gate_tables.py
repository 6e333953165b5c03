"""The tables of decisions: reports of the gate, approvals of candidates, and releases."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ragline.storage.schema.columns import id_column, metadata, reference_column

gate_reports = Table(
    "gate_reports",
    metadata,
    id_column(),
    reference_column("collection_id", "collections"),
    # Without foreign keys to generations, so that a report outlives the rows that it describes.
    Column("candidate_id", BigInteger, nullable=False),
    # Null if there was no live generation to compare with.
    Column("live_id", BigInteger, nullable=True),
    Column("verdict", Text, nullable=False),
    # The report has no text of a document, because it also outlives removed documents.
    Column("report", JSONB, nullable=False),
    Column("golden_set_version", Text, nullable=True),
    Column("code_version", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    CheckConstraint("verdict in ('passed', 'refused', 'undecidable')", name="verdict"),
    Index(None, "candidate_id"),
    Index(None, "collection_id"),
)

# Append-only: triggers refuse to change or delete a row.
generation_approvals = Table(
    "generation_approvals",
    metadata,
    id_column(),
    Column("generation_id", BigInteger, nullable=False),
    reference_column("report_id", "gate_reports"),
    Column(
        "approved_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("approved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "generation_id"),
)

# Append-only: triggers refuse to change or delete a row. The last row of a collection is its
# release now.
releases = Table(
    "releases",
    metadata,
    id_column(),
    reference_column("collection_id", "collections"),
    # Without a foreign key, so that a release outlives the generation.
    Column("generation_id", BigInteger, nullable=False),
    Column("settings", JSONB, nullable=False),
    # The release to which a rollback returns.
    Column("previous_id", BigInteger, nullable=True),
    # After a rollback, the search settings that it replaced.
    Column("held_settings", JSONB, nullable=True),
    Column(
        "released_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
    Column("released_by", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("report_id", BigInteger, nullable=True),
    Column("is_forced", Boolean, nullable=False, server_default=text("false")),
    # The obstacle that a forced release overrides.
    Column("forced_against", Text, nullable=True),
    Index("releases_collection_id_id_idx", "collection_id", "id"),
)
