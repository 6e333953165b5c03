"""The values of each query of an evaluation, so that a reproduction can compare them."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0023_query_values.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
