"""The lines that `ragline dev` shows while it runs: one for each sync with changes and each alarm.

This module reads the database and writes nothing to it. It also restarts an embedded Postgres that
has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from ragline.command_line.text_output import format_age
from ragline.configuration import Configuration
from ragline.counts import count
from ragline.errors import RaglineError
from ragline.lifecycle.finished_syncs import (
    FinishedSync,
    list_finished_syncs,
    read_database_time,
)
from ragline.status import read_status
from ragline.storage.database import Database
from ragline.storage.database_errors import DriverError
from ragline.storage.embedded_postgres import find_server_process, revive_embedded_postgres

SYNC_INTERVAL_S = 1.0
ALARM_INTERVAL_S = 5.0
# The delay between two attempts to start the embedded Postgres.
FIRST_START_DELAY_S = 1.0
MAX_START_DELAY_S = 15.0
DONE_COUNTS = ("added", "changed", "removed", "held")
TROUBLE_COUNTS = ("failed", "quarantined")


class PipelineWatch:
    """Polls the database, and calls `show` with a line for each event."""

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
        self._next_start = 0.0
        self._start_delay_s = FIRST_START_DELAY_S

    def poll(self) -> None:
        """Show the events since the last poll. Do nothing before SYNC_INTERVAL_S has passed."""
        now = time.monotonic()
        if now < self._next_syncs or not self.is_database_available():
            return
        self._next_syncs = now + SYNC_INTERVAL_S
        try:
            self._show_syncs()
            if now >= self._next_alarms:
                self._next_alarms = now + ALARM_INTERVAL_S
                self._show_alarms()
        except (RaglineError, DriverError):
            self._next_syncs = 0.0  # the connection is lost; the next poll reports it

    def is_database_available(self) -> bool:
        """Whether the database answers. An embedded Postgres that has ended is restarted first."""
        try:
            self._keep_server()
            read_database_time(self._database)
        except (RaglineError, DriverError) as error:
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
        started_at = time.monotonic()
        if started_at < self._next_start:
            return
        try:
            revive_embedded_postgres(self._configuration.home)
        except RaglineError:
            # A possible cause is a full disk, which remains until a person frees space.
            self._next_start = time.monotonic() + self._start_delay_s
            self._start_delay_s = min(2 * self._start_delay_s, MAX_START_DELAY_S)
            raise
        self._start_delay_s = FIRST_START_DELAY_S
        found = self._find_server()
        # The service also restarts the server, and was perhaps faster.
        if found != self._server and found is not None:
            took_s = time.monotonic() - started_at
            self._show(f"the embedded Postgres had ended; it was started again in {took_s:.1f} s")
            self._server = found

    def _show_syncs(self) -> None:
        if self._since is None:
            self._since = read_database_time(self._database)
            self._troubles = {
                source.source: tuple(source.documents[name] for name in TROUBLE_COUNTS)
                for source in read_status(self._database).sources
            }
        for sync in list_finished_syncs(self._database, self._since):
            self._since = sync.finished_at
            line = describe_sync(sync, self._troubles.get(sync.source))
            self._troubles[sync.source] = _count_troubles(sync)
            if line:
                self._show(line)

    def _show_alarms(self) -> None:
        configured = {source.name for source in self._configuration.sources}
        status = read_status(self._database, configured=configured)
        raised = [alarm for source in status.sources for alarm in source.alarm_details]
        raised += [alarm for each in status.collections for alarm in each.alarm_details]
        alarms = {alarm.key: alarm.text for alarm in raised}
        runbooks = {alarm.key: alarm.runbook for alarm in raised}
        for key in sorted(alarms.keys() - self._alarms.keys()):
            self._show(f"ALARM {alarms[key]} (see {runbooks[key]})")
        for key in sorted(self._alarms.keys() - alarms.keys()):
            self._show(f"alarm ended: {self._alarms[key]}")
        self._alarms = alarms


def describe_sync(sync: FinishedSync, troubles: tuple[int, ...] | None) -> str:
    """Return one line that describes a sync, or an empty text if the sync changed nothing.

    `troubles` are the TROUBLE_COUNTS after the previous sync of the source. The line leaves out the
    counts if they are still the same.
    """
    if sync.error:
        return f"{sync.source}: sync failed: {sync.error}"
    counts = _list_counts(sync, troubles)
    if not counts:
        return ""
    return f"{sync.source}: {', '.join(counts)}{_name_documents(sync)}{_describe_clocks(sync)}"


def _count_troubles(sync: FinishedSync) -> tuple[int, ...]:
    return tuple(getattr(sync, name) for name in TROUBLE_COUNTS)


def _list_counts(sync: FinishedSync, troubles: tuple[int, ...] | None) -> list[str]:
    counts = [f"{getattr(sync, name):,} {name}" for name in DONE_COUNTS if getattr(sync, name)]
    timed = sync.visible_count + sync.forgotten_count
    if not counts and timed:
        # An earlier run found these changes, but did not complete.
        counts = [count(timed, "document")]
    if _count_troubles(sync) != (troubles or (0,) * len(TROUBLE_COUNTS)):
        counts += [
            f"{getattr(sync, name):,} {name}" for name in TROUBLE_COUNTS if getattr(sync, name)
        ]
    return counts


def _name_documents(sync: FinishedSync) -> str:
    timed = [*(sync.visible_documents or []), *(sync.forgotten_documents or [])]
    failed = sync.failed_documents if any(_count_troubles(sync)) else None
    named = timed or list(failed or [])
    if not named:
        return ""
    more = ", …" if timed and sync.visible_count + sync.forgotten_count > len(timed) else ""
    return f" ({', '.join(named)}{more})"


def _describe_clocks(sync: FinishedSync) -> str:
    clocks = (("visible", sync.visible_seconds), ("forgotten", sync.forgotten_seconds))
    return "".join(
        f", {clock} after {_format_seconds(seconds)}"
        for clock, seconds in clocks
        if seconds is not None
    )


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else format_age(seconds)
