"""What `ragline dev` tells while it runs: a line a sync that did something, and each alarm once.

It reads the database as any other client; what writes there are the runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ragline.commands.output import count, format_age
from ragline.configuration import Configuration
from ragline.errors import RaglineError
from ragline.status import read_status
from ragline.storage.database import Database
from ragline.storage.embedded_postgres import find_server_process, revive_embedded_postgres
from ragline.storage.statements import load_statement

SYNCS_S = 1.0
ALARMS_S = 5.0
# How long a server that cannot be started is left alone, at first and at most.
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0
DONE = ("added", "changed", "removed", "held")
TROUBLES = ("failed", "quarantined")


class PipelineWatch:
    """Looks at the database from time to time, and shows what is new in a line each."""

    def __init__(
        self, configuration: Configuration, database: Database, show: Callable[[str], None]
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._show = show
        self._server = self._find_server()
        self._is_away = False
        self._since: datetime | None = None
        self._troubles: dict[str, tuple[int, ...]] = {}
        self._alarms: dict[str, str] = {}
        self._next_syncs = self._next_alarms = 0.0
        self._next_revival = 0.0
        self._revival_wait_s = FIRST_WAIT_S

    def look(self) -> None:
        """Show what happened since the last call; most calls find that it is too early."""
        now = time.monotonic()
        if now < self._next_syncs or not self.is_database_there():
            return
        self._next_syncs = now + SYNCS_S
        try:
            self._show_syncs()
            if now >= self._next_alarms:
                self._next_alarms = now + ALARMS_S
                self._show_alarms()
        except (RaglineError, SQLAlchemyError):
            self._next_syncs = 0.0  # it went away in between: the next call says so

    def is_database_there(self) -> bool:
        """Whether the database answers; the embedded one is started again where it died."""
        try:
            self._keep_server()
            with self._database.connect() as connection:
                connection.execute(load_statement("storage/select_clock"))
        except (RaglineError, SQLAlchemyError) as error:
            if not self._is_away:
                self._show(f"the database does not answer: {error}")
            self._is_away = True
            return False
        if self._is_away:
            self._show("the database answers again")
        self._is_away = False
        return True

    def _find_server(self) -> int | None:
        if self._configuration.database_url is not None:
            return None
        return find_server_process(self._configuration.home)

    def _keep_server(self) -> None:
        if self._configuration.database_url is not None:
            return
        began = time.monotonic()
        if began < self._next_revival:
            return
        try:
            revive_embedded_postgres(self._configuration.home)
        except RaglineError:
            # As on a full disk, for as long as it is full.
            self._next_revival = time.monotonic() + self._revival_wait_s
            self._revival_wait_s = min(2 * self._revival_wait_s, LONGEST_WAIT_S)
            raise
        self._revival_wait_s = FIRST_WAIT_S
        found = self._find_server()
        # The service watches over it too and may have been first.
        if found != self._server and found is not None:
            took_s = time.monotonic() - began
            self._show(f"the embedded Postgres had ended; it was started again in {took_s:.1f} s")
            self._server = found

    def _show_syncs(self) -> None:
        with self._database.connect() as connection:
            if self._since is None:
                self._since = connection.execute(
                    load_statement("storage/select_clock")
                ).scalar_one()
                self._troubles = {
                    source.source: tuple(source.documents[name] for name in TROUBLES)
                    for source in read_status(self._database).sources
                }
            rows = connection.execute(
                load_statement("status/select_finished_syncs"), {"since": self._since}
            ).mappings()
            for row in rows:
                self._since = row["finished_at"]
                line = describe_sync(dict(row), self._troubles.get(row["source"]))
                self._troubles[row["source"]] = tuple(row[name] for name in TROUBLES)
                if line:
                    self._show(line)

    def _show_alarms(self) -> None:
        configured = {source.name for source in self._configuration.sources}
        state = read_status(self._database, configured=configured)
        raised = [alarm for source in state.sources for alarm in source.alarm_details]
        raised += [alarm for each in state.collections for alarm in each.alarm_details]
        alarms = {alarm.key: alarm.text for alarm in raised}
        runbooks = {alarm.key: alarm.runbook for alarm in raised}
        for key in sorted(alarms.keys() - self._alarms.keys()):
            self._show(f"ALARM {alarms[key]} (see {runbooks[key]})")
        for key in sorted(self._alarms.keys() - alarms.keys()):
            self._show(f"alarm ended: {self._alarms[key]}")
        self._alarms = alarms


def describe_sync(row: Mapping[str, Any], troubles: tuple[int, ...] | None) -> str:
    """A sync in one line; empty when it did nothing, and `troubles` are as after the last one."""
    if row["error"]:
        return f"{row['source']}: sync failed: {row['error']}"
    counts = _list_counts(row, troubles)
    if not counts:
        return ""
    return f"{row['source']}: {', '.join(counts)}{_name_documents(row)}{_name_clocks(row)}"


def _list_counts(row: Mapping[str, Any], troubles: tuple[int, ...] | None) -> list[str]:
    counts = [f"{row[name]:,} {name}" for name in DONE if row[name]]
    timed = row["visible_count"] + row["forgotten_count"]
    if not counts and timed:
        # An earlier run noticed them and did not come to its end.
        counts = [count(timed, "document")]
    if tuple(row[name] for name in TROUBLES) != (troubles or (0,) * len(TROUBLES)):
        counts += [f"{row[name]:,} {name}" for name in TROUBLES if row[name]]
    return counts


def _name_documents(row: Mapping[str, Any]) -> str:
    timed = (row["visible_documents"] or []) + (row["forgotten_documents"] or [])
    named = timed or ((row["failed_documents"] or []) if any(row[n] for n in TROUBLES) else [])
    if not named:
        return ""
    more = ", …" if timed and row["visible_count"] + row["forgotten_count"] > len(timed) else ""
    return f" ({', '.join(named)}{more})"


def _name_clocks(row: Mapping[str, Any]) -> str:
    return "".join(
        f", {clock} after {_say_seconds(row[f'{clock}_seconds'])}"
        for clock in ("visible", "forgotten")
        if row[f"{clock}_seconds"] is not None
    )


def _say_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else format_age(seconds)
