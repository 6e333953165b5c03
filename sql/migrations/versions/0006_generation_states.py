"""The states of a generation and the ways between them; the last failure of a build."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0006_generation_states.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
