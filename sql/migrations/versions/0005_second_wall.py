"""The second wall around what is pushed, and around the scores of golden sets."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0005"
down_revision = "0004"
is_breaking = True


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0005_second_wall.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
