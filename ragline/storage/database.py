"""The one way to the database: an engine, transactions, and rows copied in bulk.

`open_database` decides between the user's Postgres and the embedded one, sees to the schema and
hands out a `Database`. The embedded server itself is `embedded_postgres`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
from ragline.storage.database_errors import describe_reason, name_error, named_errors
from ragline.storage.embedded_postgres import embedded_postgres
from ragline.storage.schema_head import is_at_head
from ragline.storage.statements import load_statement
from ragline.storage.watchdog import Watchdog

SCHEMAS = ("ragline", "dagster")
OLDEST_POSTGRES = (15,)
OLDEST_VECTOR = (0, 8)
OLDEST_VECTOR_NAME = "0.8"
# What a connection gets unless its address says otherwise.
DEFAULTS = {
    "application_name": "ragline",
    "connect_timeout": 5,
    # A host that vanishes without a word is noticed within these.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
# Settings of a session that an address may change with `options`.
SESSION_DEFAULTS = (
    "-c jit=off"
    # A client that vanishes without a word gives its locks back within half a minute.
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
# Hosted Postgres often keeps its extensions in a schema `extensions`; a missing one is no error.
SEARCH_PATH = "ragline,public,extensions"
# In an address's `options`, a backslash keeps a space from ending the value.
STATED_SEARCH_PATH = re.compile(r"search_path=((?:\\.|[^\s\\])+)")
# An answer takes well under a millisecond; beyond this the server is frozen.
LONGEST_PING_S = 2.0
_watchdog = Watchdog()
# Any constant will do that nothing else in the database uses.
PREPARATION_LOCK = 7_267_001


class DatabaseSettings(Protocol):
    """What of a configuration says where the database is. Without an address: below `home`."""

    @property
    def home(self) -> Path: ...

    @property
    def database_url(self) -> str | None: ...


@dataclass(frozen=True)
class Database:
    """An engine over one database, with the vector types known on every connection."""

    engine: Engine
    sessions: Engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, or rolls back on an error."""
        with named_errors(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for reading; what is not committed is rolled back."""
        with named_errors(self.engine.url), self.engine.connect() as connection:
            yield connection

    def for_tenant(self, tenant: str) -> TenantDatabase:
        """The same database as one tenant may see it: the second wall, row-level security."""
        return TenantDatabase(self.engine, self.sessions, tenant)

    def open_session(self) -> Connection:
        """A connection outside the pool, each statement its own transaction; the caller closes it.

        For what lasts as long as a session, such as advisory locks.
        """
        with named_errors(self.engine.url):
            return self.sessions.connect()

    @property
    def url(self) -> str:
        """The address with its password, for child processes; never to be printed."""
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def dagster_url(self) -> str:
        """The address of Dagster's own storage: the schema `dagster` of the same database.

        Dagster's storage needs psycopg 2 by name: under psycopg 3 its NOTIFY is refused.
        """
        options = f"{_stated_options(self.engine.url)} -c search_path=dagster".strip()
        query = {**self.engine.url.query, "options": options}
        url = self.engine.url.set(drivername="postgresql+psycopg2", query=query)
        return url.render_as_string(hide_password=False)


def limit_statements(connection: Connection, milliseconds: int) -> None:
    """Let no statement of this transaction run for longer; Postgres cancels it with 57014."""
    connection.exec_driver_sql(f"set local statement_timeout = {milliseconds:d}")


@contextmanager
def cut_off_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Break the connection when the block takes longer, as a frozen server makes it.

    Raises:
        OperationalError: it was broken; `Database` makes a DatabaseUnavailableError of it.
    """
    driver = cast("PsycopgConnection[Any]", connection.connection.driver_connection)
    with _watchdog.watch(driver.fileno(), seconds):
        yield


@dataclass(frozen=True)
class TenantDatabase(Database):
    """A database whose transactions see one tenant's rows alone.

    They run under the role `ragline_tenant`, to which the policies of row-level security apply,
    whoever is connected.
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
    """The database of a configuration, ready for use; disposed of at the end of the block.

    Without a database URL the embedded server is started, or joined where it runs already, and
    stopped by the last process that leaves; with `is_supervised` it is started again when it dies.
    With `migrate`, the schema is brought up to date.

    Raises:
        DatabaseUnavailableError: it does not answer.
        DatabaseTooNewError: its schema was made by a newer Ragline.
        MissingExtensionError: it has no pgvector 0.8 and none can be created.
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
    """A `Database` for an address, without looking at what is in it."""
    url = read_url(address)
    arguments = {name: value for name, value in DEFAULTS.items() if name not in url.query}
    settings: dict[str, Any] = {
        # Parameters are people's texts; an error in a log must not repeat them.
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
    """The settings of each session: ours, with those of the address's `options`.

    Of two settings of one name the later one counts. Schemas that the address names are looked in
    after ours.
    """
    stated = _stated_options(url)
    schemas = [SEARCH_PATH, *STATED_SEARCH_PATH.findall(stated)]
    last = f"-c search_path={','.join(schemas)} -c timezone=UTC"
    return " ".join(filter(None, (SESSION_DEFAULTS, stated, last)))


def _stated_options(url: URL) -> str:
    # As the client library does it: PGOPTIONS where the address has none.
    stated = url.query.get("options") or os.environ.get("PGOPTIONS", "")
    return stated if isinstance(stated, str) else " ".join(stated)


def read_url(address: str) -> URL:
    """A database URL as SQLAlchemy wants it; `postgres://` and `postgresql://` mean psycopg 3.

    Raises:
        ConfigurationError: it is no URL of a Postgres database.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # Not `from` the cause: it may quote a part of the password.
        raise ConfigurationError(
            "RAGLINE_DATABASE_URL is no database URL; write postgresql://user:password@host/name"
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
                f"RAGLINE_DATABASE_URL sets {name!r}, which Postgres clients do not know"
            ) from None


def prepare_database(database: Database) -> None:
    """Make the schemas and the extension, and bring the tables up to date. May run twice.

    Raises:
        MissingExtensionError: there is no pgvector 0.8 and none can be created.
        DatabaseUnavailableError: it is older than Postgres 15, or a schema is missing and may not
            be created.
        DatabaseTooNewError: the tables were made by a newer Ragline.
    """
    with database.begin() as connection:
        _refuse_old_postgres(connection)
        is_new = not _is_laid_out(connection)
        if is_new:
            _lay_out(connection)
        _refuse_old_vector(connection)
        is_migrated = is_at_head(connection)
    if is_new:
        # Connections made before the extension do not know its types.
        database.engine.dispose()
    if not is_migrated:
        from ragline.storage.migrations import migrate_schema  # 0.4 s of Alembic, seldom needed

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
    """Wait only briefly to learn whether a connection of the pool is alive."""
    ping = engine.dialect.do_ping

    def ping_briefly(driver: Any) -> bool:
        with _watchdog.watch(driver.fileno(), LONGEST_PING_S):
            return ping(driver)

    engine.dialect.do_ping = ping_briefly  # type: ignore[method-assign,assignment]


def _register_types(driver: PsycopgConnection[Any], _record: object) -> None:
    try:
        register_vector(driver)
    except PsycopgProgrammingError:
        pass  # No extension yet: `prepare_database` makes it and starts with new connections.
    finally:
        driver.rollback()


def _refuse_old_postgres(connection: Connection) -> None:
    version = connection.dialect.server_version_info or ()
    if version < OLDEST_POSTGRES:
        raise DatabaseUnavailableError(
            f"the database runs Postgres {'.'.join(map(str, version))}; Ragline needs "
            f"{OLDEST_POSTGRES[0]} or newer"
        )


def _is_laid_out(connection: Connection) -> bool:
    return bool(connection.execute(load_statement("storage/select_layout")).scalar_one())


def _lay_out(connection: Connection) -> None:
    """Create what is missing: asking first lets a user without the right to create go on."""
    connection.exec_driver_sql(f"select pg_advisory_xact_lock({PREPARATION_LOCK})")
    # Not to_regnamespace(): its cache may not know yet what was made while this one waited.
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
            f"({describe_reason(error)}); grant the user `create` on the database, or make the "
            "schemas ragline and dagster for it"
        ) from error


def _create_vector(connection: Connection) -> None:
    try:
        # Into the schema that other programs look in too; ours comes first in our search path.
        connection.exec_driver_sql("create extension vector with schema public")
    except DBAPIError as error:
        if name_error(error, connection.engine.url) is not None:
            raise
        raise MissingExtensionError(
            "this database has no pgvector and it could not be created "
            f"({describe_reason(error)}); install pgvector {OLDEST_VECTOR_NAME} or newer and run "
            "`create extension vector` in it as a user who may"
        ) from error


def _vector_version(connection: Connection) -> str | None:
    statement = "select extversion from pg_extension where extname = 'vector'"
    return cast("str | None", connection.exec_driver_sql(statement).scalar())


def _refuse_old_vector(connection: Connection) -> None:
    version = _vector_version(connection) or "none"
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < OLDEST_VECTOR:
        raise MissingExtensionError(
            f"pgvector {version} is too old; install {OLDEST_VECTOR_NAME} or newer and run "
            "`alter extension vector update`"
        )
