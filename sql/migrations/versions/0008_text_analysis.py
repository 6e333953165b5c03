"""The version of the text analysis that a generation was built with."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0008_text_analysis.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
