"""The lifecycle: transitions, clocks, proofs, pushed documents, queues."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0002"
down_revision = "0001"
is_breaking = True


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0002_lifecycle.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
