"""The two clocks of a source: their states and their readings.

`ragline.lifecycle` starts and stops the clocks and stores the readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, RowMapping

from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The state is `late` if a change has waited longer than the limit. Otherwise it is `kept` if the
# source was listed or probed within the limit, and `unproven` if it was not.
ClockState = Literal["kept", "late", "unproven"]
CLOCK_DAYS = 30


@dataclass(frozen=True, slots=True)
class ClockReadings:
    """The readings of one clock in the last CLOCK_DAYS days: number, percentiles, maximum.

    The documents of the first listing are left out. `late` counts the readings over the limit. The
    percentiles and the maximum are None if there is no reading.
    """

    count: int = 0
    late: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a source.

    `within_seconds` is its limit. `waiting_seconds` is the time for which the oldest change has
    waited until now; 0 if no change waits.
    """

    within_seconds: float
    waiting_seconds: float
    state: ClockState
    readings: ClockReadings = ClockReadings()

    @property
    def overrun(self) -> float:
        """The present wait divided by the limit. The clock is late if the quotient exceeds 1."""
        return self.waiting_seconds / self.within_seconds


def evaluate_clock(
    within: timedelta,
    waiting_since: datetime | None,
    proven_at: datetime | None,
    now: datetime,
    readings: ClockReadings = ClockReadings(),
) -> Clock:
    """Compute the state of a clock at the time `now`.

    `within` is the limit. `waiting_since` is the time of the oldest change that waits, or None if
    no change waits. `proven_at` is the time at which the source was last listed, or probed without
    a change.
    """
    waiting = now - waiting_since if waiting_since is not None else timedelta(0)
    state: ClockState = "kept"
    if waiting > within:
        state = "late"
    elif proven_at is None or now - proven_at > within:
        state = "unproven"
    seconds = max(waiting.total_seconds(), 0.0)
    return Clock(within.total_seconds(), seconds, state, readings)


def read_readings(connection: Connection, source_id: int) -> dict[str, RowMapping]:
    """Return the percentiles and counts of a source's readings, one row for each clock."""
    rows = connection.execute(
        load_statement("status/select_clock_readings"),
        {"source_id": source_id, "days": CLOCK_DAYS},
    )
    return {row["clock"]: row for row in rows.mappings()}


def describe_readings(row: RowMapping) -> ClockReadings:
    """Convert a row of `read_readings`."""
    return ClockReadings(
        count=row["readings"],
        late=row["late"],
        p50_seconds=row["p50_seconds"],
        p95_seconds=row["p95_seconds"],
        p99_seconds=row["p99_seconds"],
        max_seconds=row["max_seconds"],
    )


def read_clock_seconds(database: Database, source: str, clock: str) -> list[float]:
    """Return the newest readings of a clock (`visible` or `forgotten`) in seconds, newest first."""
    statement = load_statement("status/select_clock_seconds")
    with database.connect() as connection:
        rows = connection.execute(statement, {"source": source, "clock": clock})
        return list(rows.scalars())
