"""The SQLAlchemy metadata of all tables, and the columns that many tables have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, MetaData, func, text

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


def id_column() -> Column[int]:
    """Make the primary key. The database assigns its numbers."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def reference_column(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """Make a foreign key to the id of another table."""
    return Column(name, BigInteger, ForeignKey(f"{SCHEMA}.{target}.id"), nullable=nullable)


def time_column(name: str, *, nullable: bool = True) -> Column[object]:
    """Make a column for a time with time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def created_at_column() -> Column[object]:
    """Make the column for the time at which the row was inserted."""
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def source_column() -> Column[int]:
    """Make the reference to the source of a row. If the source is deleted, its rows are deleted."""
    return Column(
        "source_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.sources.id", ondelete="CASCADE"),
        nullable=False,
    )


def count_column(name: str) -> Column[int]:
    """Make a column for a count that starts at 0."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))
