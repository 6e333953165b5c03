"""Stored reports of the gate, approvals, and the report that a promotion is based on."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0012_gate_reports.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
