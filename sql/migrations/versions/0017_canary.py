"""Records of searches say whether their caller belongs to the canary."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0017_canary.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
