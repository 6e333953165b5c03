"""The migrated database equals the declared tables."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, text

from ragline.errors import DatabaseTooNewError
from ragline.storage.database import prepare_database, read_url
from ragline.storage.schema import SCHEMA, metadata


def test_migrated_schema_equals_the_declared_one(database_url):
    # SQLAlchemy reflects tables of the search path without their schema, so Ragline's is not in it.
    options = {"options": "-c search_path=public"}
    engine = create_engine(read_url(database_url), connect_args=options, poolclass=NullPool)
    declared = {table.name for table in metadata.tables.values()}

    def is_declared_here(_thing, name, kind, _reflected, _other):
        # Tables of Alembic and of generations are not declared.
        return kind != "table" or name in declared

    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
        "include_object": is_declared_here,
        "compare_type": True,
        "compare_server_default": True,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database):
    prepare_database(database)
    with database.connect() as connection:
        assert connection.execute(text("select count(*) from alembic_version")).scalar_one() == 1


def test_newer_database_is_refused(database):
    with database.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DatabaseTooNewError, match="9999"):
        prepare_database(database)
