"""The one way to the database: an engine, transactions, and rows copied in bulk.

`open_database` decides between the user's Postgres and the embedded one, sees to the schema and
hands out a `Database`. The embedded server itself is `embedded_postgres`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from pgvector.psycopg import register_vector
from psycopg import Connection as PsycopgConnection
from psycopg import ProgrammingError as PsycopgProgrammingError
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError

from ragline.configuration import Configuration
from ragline.errors import ConfigurationError, DatabaseUnavailableError, MissingExtensionError
from ragline.storage.embedded_postgres import embedded_postgres
from ragline.storage.migrations import migrate_schema

OLDEST_VECTOR = (0, 8)
CONNECT_TIMEOUT_S = 5
SESSION = "-c search_path=ragline,public -c timezone=UTC -c jit=off"


@dataclass(frozen=True)
class Database:
    """An engine over one database, with the vector types known on every connection."""

    engine: Engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back on an error."""
        with _named_errors(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for reading; what is not committed is rolled back."""
        with _named_errors(self.engine.url), self.engine.connect() as connection:
            yield connection

    @property
    def url(self) -> str:
        """The address with its password, for child processes; never to be printed."""
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def dagster_url(self) -> str:
        """The address of Dagster's own storage: the schema `dagster` of the same database.

        Dagster's storage needs psycopg 2 by name: under psycopg 3 its NOTIFY is refused.
        """
        query = {**self.engine.url.query, "options": "-c search_path=dagster"}
        url = self.engine.url.set(drivername="postgresql+psycopg2", query=query)
        return url.render_as_string(hide_password=False)


@contextmanager
def open_database(configuration: Configuration, *, migrate: bool = True) -> Iterator[Database]:
    """The database of a configuration, ready for use; disposed of at the end of the block.

    Without a database URL the embedded server is started, or joined where it runs already, and
    stopped by the last process that leaves. With `migrate`, the schema is brought up to date.

    Raises:
        DatabaseUnavailableError: it does not answer.
        DatabaseTooNewError: its schema was made by a newer Ragline.
        MissingExtensionError: it has no pgvector 0.8 and none can be created.
    """
    url = configuration.database_url
    server = embedded_postgres(configuration.home) if url is None else nullcontext(url)
    with server as address:
        database = connect_database(address)
        try:
            if migrate:
                prepare_database(database)
            yield database
        finally:
            database.engine.dispose()


def connect_database(address: str) -> Database:
    """A `Database` for an address, without looking at what is in it."""
    engine = sqlalchemy.create_engine(
        read_url(address),
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=50,
        # Parameters are people's texts; an error in a log must not repeat them.
        hide_parameters=True,
        connect_args={
            "options": SESSION,
            "application_name": "ragline",
            "connect_timeout": CONNECT_TIMEOUT_S,
            # A host that vanishes without a word is noticed within these.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
    )
    event.listen(engine, "connect", _register_types)
    return Database(engine)


def read_url(address: str) -> URL:
    """A database URL as SQLAlchemy wants it; `postgres://` and `postgresql://` mean psycopg 3.

    Raises:
        ConfigurationError: it is no URL of a Postgres database.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "RAGLINE_DATABASE_URL is no database URL; write postgresql://user:password@host/name"
        ) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"RAGLINE_DATABASE_URL names {url.get_backend_name()}; only postgresql:// is allowed"
        )
    return url.set(drivername="postgresql+psycopg")


def prepare_database(database: Database) -> None:
    """Make the schemas and the extension, and bring the tables up to date. May run twice."""
    with database.begin() as connection:
        connection.exec_driver_sql("select pg_advisory_xact_lock(7267001)")
        connection.exec_driver_sql("create schema if not exists ragline")
        connection.exec_driver_sql("create schema if not exists dagster")
        _ensure_vector(connection)
    # Connections made before the extension do not know its types.
    database.engine.dispose()
    migrate_schema(database.engine)


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[tuple[Any, ...]],
) -> int:
    """Write rows by binary COPY in the caller's transaction; return how many.

    `columns` are (name, Postgres type): binary COPY converts nothing, so the types must be the
    table's own.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, PsycopgConnection)
    names = ", ".join(name for name, _ in columns)
    count = 0
    statement = f"copy {table} ({names}) from stdin with (format binary)"
    with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _register_types(driver: PsycopgConnection[Any], _record: object) -> None:
    try:
        register_vector(driver)
    except PsycopgProgrammingError:
        # No extension yet: `prepare_database` makes it and starts with new connections.
        driver.rollback()
    else:
        driver.rollback()


def _ensure_vector(connection: Connection) -> None:
    wanted = ".".join(map(str, OLDEST_VECTOR))
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("create extension if not exists vector")
    except (ProgrammingError, OperationalError, DBAPIError) as error:
        raise MissingExtensionError(
            f"this database has no pgvector and it could not be created ({_reason(error)}); "
            f"install pgvector {wanted} or newer and run `create extension vector` in it"
        ) from error
    version = connection.exec_driver_sql(
        "select extversion from pg_extension where extname = 'vector'"
    ).scalar_one()
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VECTOR:
        raise MissingExtensionError(
            f"pgvector {version} is too old; install {wanted} or newer and run "
            "`alter extension vector update`"
        )


@contextmanager
def _named_errors(url: URL) -> Iterator[None]:
    """Turn a lost or refused connection into an error that names the server."""
    try:
        yield
    except OperationalError as error:
        if not _is_lost_connection(error):
            raise
        place = url.query.get("host") or url.host or "localhost"
        raise DatabaseUnavailableError(
            f"Postgres at {place} does not answer: {_reason(error)}"
        ) from error


def _is_lost_connection(error: OperationalError) -> bool:
    # No SQLSTATE: the connection was never made or broke; 08 and 57P: the server went away.
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state.startswith(("08", "57P", "53"))


def _reason(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
