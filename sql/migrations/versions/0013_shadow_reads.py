"""Shadow reads: searches that a candidate answered too."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0013_shadow_reads.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
