"""Dagster's store of events, which writes the events of a step together.

Dagster's own store writes each event in its own transactions, with up to five statements. A sync of
one source has 150 events. Here, the events that a step reports wait until the next step starts or
until this process reads the store. One transaction then writes them, in their order. The events
that start or end a run or a step do not wait. `pooled_storage` creates this store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import Connection, insert

from dagster_project.dagster_internals import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    SqlEventLogStorageTable,
)

# The events between the start and the end of the work of a step. While they wait, the UI shows the
# step as started. If the process is killed, they are lost, and the run is marked as failed.
WAITING_EVENTS = frozenset(
    {
        DagsterEventType.STEP_INPUT,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.LOADED_INPUT,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    }
)


class StepEventStorage(PostgresEventLogStorage):
    """The store of events. Its connections first write the events that wait in this process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._lock = RLock()
        self._waiting: list[tuple[EventLogEntry, dict[str, Any]]] = []
        self._writer: Connection | None = None
        super().__init__(*arguments, **options)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, now or together with the next events of its step."""
        with self._lock:
            if _changes_run(event):
                # Other processes read the changes of all runs in the order of their ids. So these
                # events must be visible at once, and not at the end of a longer transaction.
                self._write_waiting()
            self._waiting.append((event, self._event_to_row(event)))
            if not _can_wait(event):
                self._write_waiting()

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one transaction."""
        with self._lock:
            self._waiting += [(event, self._event_to_row(event)) for event in events]
            self._write_waiting()

    def dispose(self) -> None:
        """Write the events that wait, and close the store."""
        with self._lock:
            self._write_waiting()
        super().dispose()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._lock:
            # Only the thread that writes events can hold the lock and see its connection here.
            writer = self._writer
            if writer is None:
                self._write_waiting()
        if writer is not None:
            yield writer
            return
        with super()._connect() as connection:
            yield connection

    def _write_waiting(self) -> None:
        """Write the events that wait. If this fails, they wait for the next attempt."""
        if not self._waiting or self._writer is not None:
            return
        with super()._connect() as pooled:
            connection = pooled.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                self._writer = connection
                try:
                    self._insert(connection)
                finally:
                    self._writer = None
        self._waiting.clear()

    def _insert(self, connection: Connection) -> None:
        statement = insert(SqlEventLogStorageTable).returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        ids = connection.execute(statement, [row for _, row in self._waiting]).scalars().all()
        for (event, _), event_id in zip(self._waiting, ids, strict=True):
            kind = event.dagster_event_type
            if kind in ASSET_EVENTS and event.get_dagster_event().asset_key:
                self._store_asset_event_tags(connection, [event], [event_id])
                self._store_asset_event(connection, event, event_id)
            if kind in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)


def _can_wait(event: EventLogEntry) -> bool:
    # Outside a step, nothing later in this process is certain to write the event.
    return event.step_key is not None and event.dagster_event_type in WAITING_EVENTS


def _changes_run(event: EventLogEntry) -> bool:
    return event.dagster_event is not None and event.dagster_event.is_job_event
