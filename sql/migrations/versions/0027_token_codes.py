"""Stores token codes beside the vectors, and the rotation of each embedding space."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0027_token_codes.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
