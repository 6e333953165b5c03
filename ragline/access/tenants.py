"""Tenants: whose a collection is, and whether the second wall between them stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragline.storage.statements import load_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ragline.storage.database import Database

DEFAULT_TENANT = "default"


def assign_tenant(connection: Connection, collection: str, tenant: str) -> None:
    """Give a collection to a tenant."""
    parameters = {"collection": collection, "tenant": tenant}
    connection.execute(load_statement("access/assign_tenant"), parameters)


def assign_pushes(connection: Connection, source: str, tenant: str) -> None:
    """Give a tenant what was pushed to a source of its collections."""
    parameters = {"source": source, "tenant": tenant}
    connection.execute(load_statement("access/assign_pushes"), parameters)


def has_tenant_role(database: Database) -> bool:
    """Whether tenants can be kept apart by row-level security here."""
    with database.connect() as connection:
        return bool(connection.execute(load_statement("access/has_tenant_role")).scalar_one())
