"""Tenants: whose a collection is, and whether the second wall between them stands."""

from __future__ import annotations

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def assign_tenant(connection: Connection, settings: CollectionSettings) -> None:
    """Give a collection to the tenant that its settings name."""
    parameters = {"collection": settings.name, "tenant": settings.tenant}
    connection.execute(load_statement("access/assign_tenant"), parameters)


def has_tenant_role(database: Database) -> bool:
    """Whether tenants can be kept apart by row-level security here."""
    with database.connect() as connection:
        return bool(connection.execute(load_statement("access/has_tenant_role")).scalar_one())
