"""Tables of term weights, which the keyword leg reads instead of the wide tables of entries."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0026_term_weights.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
