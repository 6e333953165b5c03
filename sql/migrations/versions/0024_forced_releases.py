"""What a person has forced a release in spite of."""

from __future__ import annotations

from importlib.resources import files

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    path = files("sql") / "migrations" / "versions" / "0024_forced_releases.sql"
    op.get_bind().exec_driver_sql(path.read_text(encoding="utf-8"))
