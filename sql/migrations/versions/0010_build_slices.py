"""What a run left of a build to the next one."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0010_build_slices.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
