"""Tenants: whose a collection is, who may ask, and the second wall between tenants."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0004"
down_revision = "0003"
is_breaking = True


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0004_tenants.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
