"""How long the creation of a vector index took."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0016_vector_index_builds.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
