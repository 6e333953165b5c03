"""The highest confidence of the hits of each recorded search."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0022_best_confidence.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
