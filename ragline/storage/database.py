"""Access to the database: connections, transactions, and bulk copies of rows.

`open_database` chooses the user's Postgres or the embedded one, prepares the schema and returns a
`Database`. The embedded server is `embedded_postgres`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import sqlalchemy
from pgvector.psycopg import register_vector
from psycopg import Connection as PsycopgConnection
from psycopg import ProgrammingError as PsycopgProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, NullPool, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from ragline.errors import ConfigurationError, DatabaseUnavailableError, MissingExtensionError
from ragline.storage.connection_watchdog import Watchdog
from ragline.storage.database_errors import (
    describe_reason,
    named_causes,
    translate_error,
    translated_errors,
)
from ragline.storage.embedded_postgres import embedded_postgres
from ragline.storage.schema_head import is_at_head
from ragline.storage.statements import load_statement

SCHEMAS = ("ragline", "dagster")
MIN_POSTGRES = (15,)
MIN_VECTOR = (0, 8)
MIN_VECTOR_NAME = "0.8"
# Settings of a connection that the address may change.
DEFAULTS = {
    "application_name": "ragline",
    "connect_timeout": 5,
    # These detect a host that disappears without closing the connection.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Settings of a session that an address may change with `options`.
SESSION_DEFAULTS = (
    "-c jit=off"
    # The server releases the locks of a client that disappears, within half a minute.
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
# Hosted Postgres often has its extensions in a schema `extensions`. Postgres ignores a missing one.
SEARCH_PATH = "ragline,public,extensions"
# In the `options` of an address, a space after a backslash does not end the value.
STATED_SEARCH_PATH = re.compile(r"search_path=((?:\\.|[^\s\\])+)")
# An answer takes less than a millisecond. A server that needs longer than this does not respond.
MAX_PING_S = 2.0
_watchdog = Watchdog()
# An advisory lock of Ragline only; the number is arbitrary.
PREPARATION_LOCK = 7_267_001


class DatabaseSettings(Protocol):
    """The location of the database. Without a URL, it is the embedded database below `home`."""

    @property
    def home(self) -> Path: ...

    @property
    def database_url(self) -> str | None: ...


@dataclass(frozen=True)
class Database:
    """An engine for one database. Each connection supports the vector types."""

    engine: Engine
    sessions: Engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back on an error."""
        with translated_errors(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for reading. Its transaction is rolled back at the end."""
        with translated_errors(self.engine.url), self.engine.connect() as connection:
            yield connection

    def for_tenant(self, tenant: str) -> TenantDatabase:
        """The same database with the row-level security of one tenant."""
        return TenantDatabase(self.engine, self.sessions, tenant)

    def open_session(self) -> Connection:
        """A connection outside the pool, with autocommit. The caller closes it.

        It is for state that lasts as long as a session, such as advisory locks.
        """
        with translated_errors(self.engine.url):
            return self.sessions.connect()

    def translated_errors(self) -> AbstractContextManager[None]:
        """Name the errors of a block that uses this database through another library."""
        return named_causes(self.engine.url)

    @property
    def url(self) -> str:
        """The URL with its password, for child processes. Do not print it."""
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def dagster_url(self) -> str:
        """The URL of Dagster's storage: the schema `dagster` of the same database.

        Dagster's storage needs psycopg 2, because Postgres rejects its NOTIFY under psycopg 3.
        """
        options = f"{_stated_options(self.engine.url)} -c search_path=dagster".strip()
        query = {**self.engine.url.query, "options": options}
        url = self.engine.url.set(drivername="postgresql+psycopg2", query=query)
        return url.render_as_string(hide_password=False)


def limit_statements(connection: Connection, milliseconds: int) -> None:
    """Limit the time of each statement in this transaction. Postgres cancels with 57014."""
    connection.exec_driver_sql(f"set local statement_timeout = {milliseconds:d}")


@contextmanager
def shut_down_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Close the connection to a server that does not finish the block within `seconds`.

    Raises:
        OperationalError: the connection was closed. `Database` raises its own error for it.
    """
    driver = cast("PsycopgConnection[Any]", connection.connection.driver_connection)
    with _watchdog.watch(driver.fileno(), seconds):
        yield


@dataclass(frozen=True)
class TenantDatabase(Database):
    """A database whose transactions see the rows of one tenant only.

    These transactions run with the role `ragline_tenant`. The policies of row-level security apply
    to that role for each user of the connection.
    """

    tenant: str

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of the tenant that commits at the end of the block."""
        with super().begin() as connection:
            connection.execute(load_statement("access/enter_tenant"), {"tenant": self.tenant})
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection of the tenant, for one transaction that reads."""
        with super().connect() as connection:
            connection.execute(load_statement("access/enter_tenant"), {"tenant": self.tenant})
            yield connection


@contextmanager
def open_database(
    configuration: DatabaseSettings, *, migrate: bool = True, is_supervised: bool = False
) -> Iterator[Database]:
    """The database of a configuration. Its connections are closed at the end of the block.

    Without a database URL, the embedded server is started if it does not run, and its last user
    stops it. With `is_supervised` it is started again when it dies. With `migrate`, the schema is
    migrated.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        DatabaseTooNewError: a newer Ragline made the schema.
        MissingExtensionError: pgvector 0.8 is missing in the database and cannot be created.
    """
    url = configuration.database_url
    home = configuration.home
    server = (
        embedded_postgres(home, is_supervised=is_supervised) if url is None else nullcontext(url)
    )
    with server as address:
        database = connect_database(address)
        try:
            if migrate:
                prepare_database(database)
            yield database
        finally:
            database.engine.dispose()


def connect_database(address: str) -> Database:
    """A `Database` for an address. Nothing is checked or prepared."""
    url = read_url(address)
    arguments = {name: value for name, value in DEFAULTS.items() if name not in url.query}
    settings: dict[str, Any] = {
        # Parameters contain texts of users, which must not be in the log of an error.
        "hide_parameters": True,
        "connect_args": {**arguments, "options": session_options(url)},
    }
    engine = sqlalchemy.create_engine(
        url, pool_pre_ping=True, pool_size=10, max_overflow=50, **settings
    )
    event.listen(engine, "connect", _register_types)
    _limit_ping(engine)
    sessions = sqlalchemy.create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **settings
    )
    return Database(engine, sessions)


def session_options(url: URL) -> str:
    """The settings of each session: Ragline's, then the `options` of the address.

    The last setting of a name applies. Schemas of the address come last in the search path.
    """
    stated = _stated_options(url)
    schemas = [SEARCH_PATH, *STATED_SEARCH_PATH.findall(stated)]
    last = f"-c search_path={','.join(schemas)} -c timezone=UTC"
    return " ".join(filter(None, (SESSION_DEFAULTS, stated, last)))


def _stated_options(url: URL) -> str:
    # As in the client library, PGOPTIONS is used when the address has no options.
    stated = url.query.get("options") or os.environ.get("PGOPTIONS", "")
    return stated if isinstance(stated, str) else " ".join(stated)


def read_url(address: str) -> URL:
    """A database URL for SQLAlchemy with psycopg 3, from `postgres://` or `postgresql://`.

    Raises:
        ConfigurationError: the address is not a URL of a Postgres database.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # The cause is hidden, because its text may have a part of the password.
        raise ConfigurationError(
            "RAGLINE_DATABASE_URL is not a database URL; write postgresql://user:password@host/name"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"RAGLINE_DATABASE_URL names {url.get_backend_name()}; only postgresql:// is allowed"
        )
    _refuse_unknown_settings(url)
    return url.set(drivername="postgresql+psycopg")


def _refuse_unknown_settings(url: URL) -> None:
    for name in url.query:
        try:
            make_conninfo(**{name: ""})
        except PsycopgProgrammingError:
            raise ConfigurationError(
                f"RAGLINE_DATABASE_URL has the unknown setting {name!r}; correct or delete it"
            ) from None


def prepare_database(database: Database) -> None:
    """Create the schemas and the extension, and migrate the tables. May run twice.

    Raises:
        MissingExtensionError: pgvector 0.8 is missing in the database and cannot be created.
        DatabaseUnavailableError: the server is older than Postgres 15, or a schema is missing and
            the user may not create it.
        DatabaseTooNewError: a newer Ragline made the tables.
    """
    with database.begin() as connection:
        _refuse_old_postgres(connection)
        is_new = not _is_prepared(connection)
        if is_new:
            _create_missing(connection)
        _refuse_old_vector(connection)
        is_migrated = is_at_head(connection)
    if is_new:
        # Connections that are older than the extension do not support its types.
        database.engine.dispose()
    if not is_migrated:
        from ragline.storage.migrations import migrate_schema  # imports Alembic, which takes 0.4 s

        migrate_schema(database.engine)


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[tuple[Any, ...]],
) -> int:
    """Write rows by binary COPY in the caller's transaction. Returns their number.

    `columns` are (name, Postgres type). Binary COPY does not convert, so the types must be those
    of the table.
    """
    driver = cast("PsycopgConnection[Any]", connection.connection.driver_connection)
    names = ", ".join(name for name, _ in columns)
    count = 0
    statement = f"copy {table} ({names}) from stdin with (format binary)"
    with driver.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _limit_ping(engine: Engine) -> None:
    """Limit the time that a ping takes. A ping tests a connection of the pool."""
    ping = engine.dialect.do_ping

    def ping_briefly(driver: Any) -> bool:
        with _watchdog.watch(driver.fileno(), MAX_PING_S):
            return ping(driver)

    engine.dialect.do_ping = ping_briefly  # type: ignore[method-assign,assignment]


def _register_types(driver: PsycopgConnection[Any], _record: object) -> None:
    try:
        register_vector(driver)
    except PsycopgProgrammingError:
        pass  # The extension is missing: `prepare_database` creates it and opens new connections.
    finally:
        driver.rollback()


def _refuse_old_postgres(connection: Connection) -> None:
    version = connection.dialect.server_version_info or ()
    if version < MIN_POSTGRES:
        raise DatabaseUnavailableError(
            f"the database runs Postgres {'.'.join(map(str, version))}; Ragline needs "
            f"{MIN_POSTGRES[0]} or newer"
        )


def _is_prepared(connection: Connection) -> bool:
    return bool(connection.execute(load_statement("storage/select_layout")).scalar_one())


def _create_missing(connection: Connection) -> None:
    """Create what is missing. If nothing is missing, the user needs no right to create."""
    connection.exec_driver_sql(f"select pg_advisory_xact_lock({PREPARATION_LOCK})")
    # The cache of to_regnamespace() may lack a schema that was created during the wait.
    names = set(connection.exec_driver_sql("select nspname from pg_namespace").scalars())
    for name in SCHEMAS:
        if name not in names:
            _create_schema(connection, name)
    if _vector_version(connection) is None:
        _create_vector(connection)


def _create_schema(connection: Connection, name: str) -> None:
    try:
        connection.exec_driver_sql(f"create schema {name}")
    except ProgrammingError as error:
        raise DatabaseUnavailableError(
            f"this database has no schema {name!r} and it could not be created "
            f"({describe_reason(error)}); grant the user `create` on the database, or create "
            "the schemas ragline and dagster for it"
        ) from error


def _create_vector(connection: Connection) -> None:
    try:
        # Other programs find the extension in this schema.
        connection.exec_driver_sql("create extension vector with schema public")
    except DBAPIError as error:
        if translate_error(error, connection.engine.url) is not None:
            raise
        raise MissingExtensionError(
            "this database has no pgvector and it could not be created "
            f"({describe_reason(error)}); install pgvector {MIN_VECTOR_NAME} or newer and run "
            "`create extension vector` in it as a superuser"
        ) from error


def _vector_version(connection: Connection) -> str | None:
    statement = "select extversion from pg_extension where extname = 'vector'"
    return cast("str | None", connection.exec_driver_sql(statement).scalar())


def _refuse_old_vector(connection: Connection) -> None:
    version = _vector_version(connection) or "none"
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < MIN_VECTOR:
        raise MissingExtensionError(
            f"pgvector {version} is too old; install {MIN_VECTOR_NAME} or newer and run "
            "`alter extension vector update`"
        )
