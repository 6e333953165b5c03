"""Grants to the role of tenants what the migrations since 0012 created."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0020_tenant_grants.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
