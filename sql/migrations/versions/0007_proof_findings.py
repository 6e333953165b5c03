"""What a sync proof found, with what the next one compares to tell a fault from a change."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0007_proof_findings.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
