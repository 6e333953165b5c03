"""The limit that a source's documents were last read with."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0009_size_limit.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
