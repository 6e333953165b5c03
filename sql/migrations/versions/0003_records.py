"""Records: traces, clients and tenants of searches, what was done with hits, daily figures."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0003"
down_revision = "0002"
is_breaking = True


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0003_records.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
