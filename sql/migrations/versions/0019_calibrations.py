"""Calibrations of confidence, and searches whose hits were all below `min_confidence`."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0019_calibrations.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
