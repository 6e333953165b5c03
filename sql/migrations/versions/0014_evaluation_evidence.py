"""What the figures of an evaluation depend on."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0014_evaluation_evidence.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
