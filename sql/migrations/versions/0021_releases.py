"""Releases: which generation was live with which search settings."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0021_releases.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
