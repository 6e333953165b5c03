"""The table of releases: which generation was live, and with which search settings."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

from ragline.storage.schema.columns import id_column, metadata, reference_column

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
    # After a rollback, the settings that an operator decided against.
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
    Index("releases_collection_id_id_idx", "collection_id", "id"),
)
