"""The shared tables and the functions of BM25."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0001"
down_revision = None
is_breaking = True


def upgrade() -> None:
    folder = files("sql") / "migrations" / "versions"
    for name in ("0001_tables.sql", "0001_bm25.sql"):
        op.get_bind().exec_driver_sql((folder / name).read_text(encoding="utf-8"))
