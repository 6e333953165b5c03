"""Dagster's storage in Postgres with pooled connections.

Dagster's own storage opens a connection for each statement. A sync of the sample corpus without
changes opens 960 connections, which takes a third of its time. For each one, Postgres starts a
process. Here each of the three stores keeps one connection open. A connection that was idle for
some time, or that the server closed, is checked before its next use. A lost connection is replaced.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from time import monotonic
from typing import Any

from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import DagsterPostgresException, create_pg_engine
from psycopg2 import Error  # type: ignore[import-untyped]
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError

from dagster_project.dagster_internals import ConfigurableClassData
from ragline.errors import DatabaseUnavailableError

# The threads of the daemon can use several connections at the same time. After use, one connection
# stays open and the others are closed.
MAX_CONNECTIONS = 50
# A connection that was idle for longer is checked. The events of a run follow each other faster, so
# they need no check.
MAX_UNCHECKED_IDLE_S = 1.0
# The errors that Dagster's storage raises if the server does not answer.
STORAGE_ERRORS = (OperationalError, InterfaceError, DagsterPostgresException)


class PooledStorage(DagsterPostgresStorage):
    """The stores of runs, events and schedules in one Postgres. Each store has its own pool."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = _open_pool(postgres_url)  # noqa: SLF001 - it has no setting
            _check_after_optimizing(storage)
        events: Any = self._event_log_storage
        # Dagster calls `has_table` for each event. The answer does not change, because
        # `super().__init__` has created the tables.
        events.has_table = cache(events.has_table)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledStorage:
        return cls(config_value["postgres_url"], inst_data=inst_data)


@contextmanager
def named_storage_errors() -> Iterator[None]:
    """Turn errors of Dagster's storage into Ragline's error for a database that does not answer.

    Raises:
        DatabaseUnavailableError: Dagster could not read or write its storage.
    """
    try:
        yield
    except STORAGE_ERRORS as error:
        # Dagster's error states the number of attempts. The reason is in the cause of this error.
        cause = error.__cause__ if isinstance(error, DagsterPostgresException) else error
        lines = str(getattr(cause, "orig", cause)).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise DatabaseUnavailableError(f"Postgres does not answer: {reason}") from error


def _open_pool(url: str) -> Engine:
    engine = create_pg_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=MAX_CONNECTIONS
    )
    _check_connections(engine)
    return engine


def _check_after_optimizing(storage: Any) -> None:
    """Also check the connections of the engine that Dagster's webserver creates for a store."""
    optimize: Callable[..., None] = storage.optimize_for_webserver

    def optimize_and_check(*arguments: Any, **options: Any) -> None:
        optimize(*arguments, **options)
        _check_connections(storage._engine)  # noqa: SLF001 - it has no setting

    storage.optimize_for_webserver = optimize_and_check


def _check_connections(engine: Engine) -> None:
    """Check each connection that leaves the pool. The pool replaces a lost connection."""

    @event.listens_for(engine, "checkout")
    def check(driver: Any, record: Any, _proxy: object) -> None:
        now = monotonic()
        if now - record.info.get("used_at", now) > MAX_UNCHECKED_IDLE_S or _has_unread(driver):
            try:
                with driver.cursor() as cursor:
                    cursor.execute("select 1")
            except Error as error:
                raise DisconnectionError from error
        record.info["used_at"] = now


def _has_unread(driver: Any) -> bool:
    """Whether there are unread bytes. The server sends such bytes before it closes a connection."""
    if driver.closed:
        return True
    waiting = select.poll()
    waiting.register(driver.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
