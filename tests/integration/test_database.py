"""Connections to a database: their settings, refused addresses and servers, bulk copies."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector, SparseVector
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DataError

from ragline.configuration import Configuration
from ragline.errors import (
    ConfigurationError,
    DatabaseDiskFullError,
    DatabaseStartingError,
    DatabaseUnavailableError,
    MissingExtensionError,
    ReadOnlyDatabaseError,
    TooManyConnectionsError,
)
from ragline.storage import database as module
from ragline.storage.database import (
    Database,
    connect_database,
    copy_rows,
    open_database,
    prepare_database,
    read_url,
)

Execute = Callable[..., None]


@pytest.fixture
def execute() -> Execute:
    """Run statements in a database of the server, as its owner and outside a transaction."""

    def run(address: str, *statements: str) -> None:
        url = read_url(address)
        arguments = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
        with psycopg.connect(**arguments, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    return run


@pytest.fixture
def empty_url(server: str, execute: Execute) -> Iterator[str]:
    """The address of a new database without any table."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    execute(server, f"create database {name}")
    yield read_url(server).set(database=name).render_as_string(hide_password=False)
    execute(server, f"drop database {name} with (force)")


@pytest.fixture
def role(server: str, execute: Execute) -> Iterator[str]:
    """A user without rights. Its password is its name."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    execute(server, f"create role {name} login password '{name}'")
    yield name
    execute(server, f"drop role {name}")


@pytest.fixture
def opened() -> Iterator[Callable[[str], Database]]:
    """A `Database` for an address, closed after the test."""
    databases: list[Database] = []

    def open_one(address: str) -> Database:
        databases.append(connect_database(address))
        return databases[-1]

    yield open_one
    for database in databases:
        database.engine.dispose()


def as_role(address: str, role: str) -> str:
    return read_url(address).set(username=role, password=role).render_as_string(hide_password=False)


def ask(database: Database, statement: str) -> object:
    with database.connect() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_new_database_gets_schemas_extension_and_tables(
    empty_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(empty_url)
    prepare_database(database)
    assert ask(database, "select count(*) from ragline.documents") == 0
    assert ask(database, "select to_regnamespace('dagster') is not null")
    where = "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'"
    assert ask(database, where) == "public"
    assert ask(database, "select cast('[1,2]' as halfvec)") == HalfVector([1, 2])


def test_session_has_utc_the_schema_and_the_application_name(database: Database) -> None:
    assert ask(database, "select current_schema()") == "ragline"
    assert ask(database, "show timezone") == "UTC"
    assert ask(database, "show application_name") == "ragline"


def test_address_may_name_the_application(
    database_url: str, opened: Callable[[str], Database]
) -> None:
    named = read_url(database_url).update_query_dict({"application_name": "reports"})
    database = opened(named.render_as_string(hide_password=False))
    assert ask(database, "show application_name") == "reports"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_form_of_a_postgres_url_uses_psycopg_3(scheme: str) -> None:
    assert read_url(f"{scheme}://someone@host/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("not an address", "is not a database URL"),
        ("postgresql://someone:secret@host:port/name", "is not a database URL"),
        ("mysql://someone:secret@host/name", "names mysql"),
        ("postgresql://someone:secret@host/name?colour=red", "colour"),
    ],
)
def test_other_addresses_are_refused_without_repeating_them(address: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        connect_database(address)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_unreachable_server_is_named_without_its_password(
    opened: Callable[[str], Database],
) -> None:
    database = opened("postgresql://someone:secret@127.0.0.1:1/name")
    with (
        pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1.*refused") as caught,
        database.connect(),
    ):
        pass
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(database)


def test_broken_connection_is_named_and_the_next_one_works(
    database: Database,
) -> None:
    end_me = text("select pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DatabaseUnavailableError), database.begin() as connection:
        connection.execute(end_me)
    assert ask(database, "select 1") == 1


def test_connections_that_died_while_idle_are_replaced(
    database: Database, database_url: str, execute: Execute
) -> None:
    ask(database, "select 1")
    others = "pid <> pg_backend_pid() and datname = current_database()"
    execute(database_url, f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")
    assert ask(database, "select 1") == 1


def test_error_in_a_statement_shows_no_parameters(database: Database) -> None:
    with pytest.raises(Exception, match="division by zero") as caught, database.connect() as one:
        one.execute(text("select 1 / 0 where cast(:word as text) = 'private'"), {"word": "private"})
    assert "'word'" not in str(caught.value)


def test_database_prepared_by_another_user_needs_no_right_to_create(
    database_url: str, role: str, execute: Execute, opened: Callable[[str], Database]
) -> None:
    execute(
        database_url,
        f"grant usage on schema ragline to {role}",
        f"grant select on all tables in schema ragline to {role}",
    )
    prepare_database(opened(as_role(database_url, role)))
    execute(database_url, f"drop owned by {role}")


def test_missing_schema_without_the_right_to_create_is_a_clear_error(
    empty_url: str, role: str, opened: Callable[[str], Database]
) -> None:
    with pytest.raises(DatabaseUnavailableError, match="grant the user `create`"):
        prepare_database(opened(as_role(empty_url, role)))


def test_missing_extension_without_the_right_to_create_is_a_clear_error(
    empty_url: str, role: str, execute: Execute, opened: Callable[[str], Database]
) -> None:
    execute(empty_url, "create schema ragline", "create schema dagster")
    with pytest.raises(MissingExtensionError, match=r"install pgvector 0\.8 or newer"):
        prepare_database(opened(as_role(empty_url, role)))


def test_existing_pgvector_needs_no_superuser(
    empty_url: str, role: str, execute: Execute, opened: Callable[[str], Database]
) -> None:
    name = read_url(empty_url).database
    execute(empty_url, "create extension vector", f"grant create on database {name} to {role}")
    database = opened(as_role(empty_url, role))
    prepare_database(database)
    assert ask(database, "select count(*) from ragline.documents") == 0
    database.engine.dispose()
    execute(empty_url, f"drop owned by {role} cascade")


def test_extension_in_a_schema_of_its_own_is_found(
    empty_url: str, execute: Execute, opened: Callable[[str], Database]
) -> None:
    execute(empty_url, "create schema extensions", "create extension vector schema extensions")
    database = opened(empty_url)
    prepare_database(database)
    assert ask(database, "select cast('[1]' as halfvec)") == HalfVector([1])


def test_old_extension_is_refused_with_the_version_needed(
    database: Database, database_url: str, execute: Execute
) -> None:
    execute(database_url, "update pg_extension set extversion = '0.7.4' where extname = 'vector'")
    with pytest.raises(MissingExtensionError, match=r"0\.7\.4 is too old; install 0\.8"):
        prepare_database(database)


def test_old_postgres_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_POSTGRES", (99,))
    with pytest.raises(DatabaseUnavailableError, match="needs 99 or newer"):
        prepare_database(database)


def test_dagster_gets_its_own_schema_of_the_same_database(database: Database) -> None:
    engine = create_engine(database.dagster_url)
    with engine.connect() as connection:
        found = connection.execute(text("select current_schema(), current_database()")).one()
    engine.dispose()
    assert tuple(found) == ("dagster", database.engine.url.database)


def test_rows_are_copied_with_all_types(database: Database) -> None:
    time = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    row = (
        2**40,
        "naïve\t\\N 'text'\n",
        HalfVector(np.array([0.5, -1, 2], dtype=np.float32)),
        SparseVector({7: 1.5}, 100),
        ["a", "b c"],
        b"\x00\xff",
        time,
    )
    columns = [
        ("a", "int8"),
        ("b", "text"),
        ("c", "halfvec"),
        ("d", "sparsevec"),
        ("e", "text[]"),
        ("f", "bytea"),
        ("g", "timestamptz"),
    ]
    fields = ", ".join(f"{name} {kind}" for name, kind in columns)
    with database.begin() as connection:
        connection.execute(text(f"create table copied ({fields})"))
        assert copy_rows(connection, "copied", columns, iter([row, (None,) * 7])) == 2
    with database.connect() as connection:
        full, empty = connection.execute(text("select * from copied order by a nulls last")).all()
    assert tuple(full) == row
    assert tuple(empty) == (None,) * 7


def test_copying_no_rows_writes_nothing(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("create table copied (a bigint)"))
        assert copy_rows(connection, "copied", [("a", "int8")], []) == 0


def test_copied_rows_are_part_of_the_transaction(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("create table copied (a bigint)"))
    with pytest.raises(ZeroDivisionError), database.begin() as connection:
        copy_rows(connection, "copied", [("a", "int8")], ((1 // n,) for n in (1, 0)))
    assert ask(database, "select count(*) from copied") == 0


def test_configuration_without_address_gets_the_embedded_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_database(Configuration(home=home)) as database:
        assert ask(database, "select count(*) from ragline.documents") == 0
        assert (home / "postgres" / "postmaster.pid").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_configuration_with_address_starts_no_server(tmp_path: Path, empty_url: str) -> None:
    configuration = Configuration(home=tmp_path / "home", database_url=empty_url)
    with open_database(configuration) as database:
        assert ask(database, "select count(*) from ragline.documents") == 0
    assert not (tmp_path / "home").exists()


def test_database_can_be_opened_without_migration(empty_url: str) -> None:
    with open_database(Configuration(database_url=empty_url), migrate=False) as database:
        assert ask(database, "select to_regnamespace('ragline') is null")


def with_options(address: str, options: str) -> str:
    url = read_url(address).update_query_dict({"options": options})
    return url.render_as_string(hide_password=False)


def test_options_of_the_address_are_added_to_the_defaults(
    database_url: str, opened: Callable[[str], Database]
) -> None:
    options = "-c work_mem=17MB -c jit=on -c search_path=elsewhere,more"
    database = opened(with_options(database_url, options))
    assert ask(database, "show work_mem") == "17MB"
    assert ask(database, "show jit") == "on"
    assert ask(database, "show timezone") == "UTC"
    assert ask(database, "show search_path") == "ragline,public,extensions,elsewhere,more"


def test_options_of_the_environment_are_added_too(
    database_url: str, opened: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=17MB")
    assert ask(opened(database_url), "show work_mem") == "17MB"


def test_dagster_gets_the_options_of_the_address(
    database_url: str, opened: Callable[[str], Database]
) -> None:
    database = opened(with_options(database_url, "-c work_mem=17MB"))
    engine = create_engine(database.dagster_url)
    with engine.connect() as connection:
        found = connection.execute(text("select current_schema(), current_setting('work_mem')"))
        assert tuple(found.one()) == ("dagster", "17MB")
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "message", "error", "advice"),
    [
        ("53100", "could not extend file: No space left on device", DatabaseDiskFullError, "free"),
        ("58030", "could not write: No space left on device", DatabaseUnavailableError, "log"),
        ("53300", "sorry, too many clients already", TooManyConnectionsError, "max_connections"),
        ("57P03", "the database system is starting up", DatabaseStartingError, "a few seconds"),
    ],
)
def test_each_failure_of_the_server_has_its_own_error(
    database: Database, state: str, message: str, error: type[Exception], advice: str
) -> None:
    statement = f"do $$ begin raise exception '{message}' using errcode = '{state}'; end $$"
    with pytest.raises(error, match=advice) as caught, database.connect() as connection:
        connection.exec_driver_sql(statement)
    assert isinstance(caught.value, DatabaseUnavailableError)
    assert message in str(caught.value)
    assert "embedded Postgres in" in str(caught.value)


def test_missing_free_connection_is_named(
    database_url: str, role: str, execute: Execute, opened: Callable[[str], Database]
) -> None:
    execute(database_url, f"alter role {role} connection limit 0")
    database = opened(as_role(database_url, role))
    with pytest.raises(TooManyConnectionsError, match="too many connections"), database.connect():
        pass


def test_read_only_database_is_named(database_url: str, opened: Callable[[str], Database]) -> None:
    database = opened(with_options(database_url, "-c default_transaction_read_only=on"))
    with (
        pytest.raises(ReadOnlyDatabaseError, match="primary server"),
        database.begin() as connection,
    ):
        connection.exec_driver_sql("create table ragline.refused (a integer)")


def test_other_servers_and_the_embedded_one_get_their_own_advice(
    opened: Callable[[str], Database], tmp_path: Path
) -> None:
    database = opened("postgresql://someone@127.0.0.1:1/name")
    with (
        pytest.raises(DatabaseUnavailableError, match=r"RAGLINE_DATABASE_URL.*database-away\.md"),
        database.connect(),
    ):
        pass
    (tmp_path / "postgres.users").touch()
    embedded = opened(f"postgresql://ragline@/ragline?host={tmp_path}/run&port=10001")
    with (
        pytest.raises(
            DatabaseUnavailableError, match=r"starts it again.*postgres\.log.*postgres-killed\.md"
        ),
        embedded.connect(),
    ):
        pass


def test_fault_of_a_statement_is_not_translated(database: Database) -> None:
    with pytest.raises(DataError), database.connect() as connection:
        connection.exec_driver_sql("select 1 / 0")
