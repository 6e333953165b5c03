"""Dagster's storage in Postgres over connections that are kept.

Dagster's own storage makes a connection for each statement, 960 in a sync of the sample corpus
that finds nothing to do: a third of the time of that sync, and a new server process each. Here
each of the three stores keeps one. A connection that the server has closed, or that was not used
for a while, is checked before it is used again, so that a restarted server is met with a new one.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping
from functools import cache
from time import monotonic
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine
from psycopg2 import Error  # type: ignore[import-untyped]
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

# Threads of a daemon may need several at once; those above the first are closed after use.
MOST_CONNECTIONS = 50
# The events of a run come closer than this; a check of each would be as many statements again.
UNCHECKED_S = 1.0


class PooledStorage(DagsterPostgresStorage):
    """Runs, events and schedules in one Postgres, a kept connection each."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = _open_pool(postgres_url)  # noqa: SLF001 - there is no other way
            _check_after_optimizing(storage)
        events: Any = self._event_log_storage
        # Asked for each event. The tables are there: `should_autocreate_tables` made them.
        events.has_table = cache(events.has_table)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledStorage:
        return cls(config_value["postgres_url"], inst_data=inst_data)


def _open_pool(url: str) -> Engine:
    engine = create_pg_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=MOST_CONNECTIONS
    )
    _check_connections(engine)
    return engine


def _check_after_optimizing(storage: Any) -> None:
    """Let the engine that Dagster's webserver makes for itself check its connections too."""
    optimize: Callable[..., None] = storage.optimize_for_webserver

    def optimize_and_check(*arguments: Any, **options: Any) -> None:
        optimize(*arguments, **options)
        _check_connections(storage._engine)  # noqa: SLF001 - there is no other way

    storage.optimize_for_webserver = optimize_and_check


def _check_connections(engine: Engine) -> None:
    """Replace a connection that was lost when it is taken from the pool."""

    @event.listens_for(engine, "checkout")
    def check(driver: Any, record: Any, _proxy: object) -> None:
        now = monotonic()
        if now - record.info.get("used_at", now) > UNCHECKED_S or _has_unread(driver):
            try:
                with driver.cursor() as cursor:
                    cursor.execute("select 1")
            except Error as error:
                raise DisconnectionError from error
        record.info["used_at"] = now


def _has_unread(driver: Any) -> bool:
    """Whether the server said something unasked, as it does before it closes a connection."""
    if driver.closed:
        return True
    waiting = select.poll()
    waiting.register(driver.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
