"""Releases: which generation was live with which search settings."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0020_releases.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
