"""Runs migrations on the connection that `ragline.storage.migrations` hands over."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    version_table_schema="ragline",
    transactional_ddl=True,
)
context.run_migrations()
