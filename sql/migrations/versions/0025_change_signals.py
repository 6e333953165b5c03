"""Signals that a source has changed, one row for each source."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0025_change_signals.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
