"""Candidates, refusals and holds of generations, and the trail of their states."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0011_generation_events.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
