"""Sets the tenant of collections and of pushed documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ragline.storage.database import Database

DEFAULT_TENANT = "default"


def assign_tenant(connection: Connection, collection: str, tenant: str) -> None:
    """Set the tenant of a collection."""
    parameters = {"collection": collection, "tenant": tenant}
    connection.execute(load_statement("access/assign_tenant"), parameters)


def assign_pushes(connection: Connection, source: str, tenant: str) -> None:
    """Set the tenant of the documents that were pushed to a source."""
    parameters = {"source": source, "tenant": tenant}
    connection.execute(load_statement("access/assign_pushes"), parameters)


def has_tenant_role(database: Database) -> bool:
    """Whether the database separates tenants by row-level security.

    This is the case if the role `ragline_tenant` exists and the database user may use the role.
    """
    with database.connect() as connection:
        return bool(connection.execute(load_statement("access/has_tenant_role")).scalar_one())
