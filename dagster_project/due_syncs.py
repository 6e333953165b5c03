"""When a source is due to be synced: what a sensor remembers, sees, and makes of both.

No Dagster object is made here; the sensors themselves are `sensors`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ragline.errors import SourceUnavailableError
from ragline.fingerprints import hash_bytes
from ragline.sources.settings import SourceSettings
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

NOTHING_CHANGED = "nothing changed"
# Dagster looks at sensors every 5 seconds; one that is due after 5 would often miss its turn.
SHORTEST_INTERVAL_S = 4
LONGEST_INTERVAL_S = 600
# How many looks the shorter clock is divided into: the rest of the time is for the run.
LOOKS_PER_CLOCK = 20
# A source that nothing was noticed of is synced all the same before its clock runs out: only a
# listing proves that nothing changed. This share of the clock, and this time, are for the run.
PROOF_SHARE = 0.2
PROOF_MARGIN = timedelta(seconds=30)
FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 600.0
# Where only the collection's settings or a build kept a run from ending, its source is served: the
# run is repeated as if so many attempts had been made before.
SERVED_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """What a sensor remembers: how many runs it asked for, and how many of the last ones were
    attempts to make up for a failed one; whether the last probe met an absent source; and which
    content of the configuration file the last run was asked for, by its hash.

    Which probe was seen is not among it: what counts is what the listing saw (`Known`).
    """

    number: int = 0
    attempts: int = 0
    is_away: bool = False
    settings: str | None = None

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """The memory kept in a cursor."""
        kept = json.loads(cursor) if cursor else {}
        return cls(
            kept.get("number", 0),
            kept.get("attempts", 0),
            kept.get("is_away", False),
            kept.get("settings"),
        )

    def write(self) -> str:
        """The cursor that keeps this memory."""
        return json.dumps(asdict(self))

    @property
    def run_key(self) -> str:
        """Dagster never starts a run of the same key twice, so each has a number of its own."""
        return str(self.number)


@dataclass(frozen=True, slots=True)
class LastSync:
    """How the latest run of a source stands. Times are seconds since 1970; None for never."""

    is_unfinished: bool = False
    has_failed: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    entries_made_at: float | None = None

    @property
    def has_made_entries(self) -> bool:
        """Whether it did what it had to for the source: what failed is the collection's."""
        if self.started_at is None or self.entries_made_at is None:
            return False
        return self.entries_made_at >= self.started_at


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of a source: the probe of its last listing, whether a run has it
    now (a person's too), and the work that no probe shows: retries that are due, documents to
    place again, removals under way, documents that the last run left of a build. `failed_at` is
    when the last run began, whoever made it, if it did not do all its stages, in seconds since
    1970; `failure` is its error.
    """

    listed_probe: str | None = None
    is_locked: bool = False
    retries: int = 0
    reopened: int = 0
    leaving: int = 0
    failed_at: float | None = None
    failure: str | None = None
    build_left: int | None = None

    @property
    def is_unlistable(self) -> bool:
        """Whether the last run could not list the source, though a probe may succeed."""
        return self.failed_at is not None and (self.failure or "").startswith(
            SourceUnavailableError.__name__
        )

    @property
    def has_work(self) -> bool:
        return bool(self.retries or self.reopened or self.leaving or self.build_left)


def interval_seconds(settings: SourceSettings) -> int:
    """How often a source is probed, from the time its changes may take.

    A source on this machine is looked at as often as Dagster can: it costs milliseconds.
    """
    if settings.is_local:
        return SHORTEST_INTERVAL_S
    clock = min(settings.visible_within, settings.forgotten_within)
    wanted = clock.total_seconds() / LOOKS_PER_CLOCK
    return int(min(max(wanted, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S))


def proof_seconds(settings: SourceSettings) -> float:
    """How old the last sync of a quiet source may become."""
    clock = min(settings.visible_within, settings.forgotten_within).total_seconds()
    margin = max(PROOF_SHARE * clock, PROOF_MARGIN.total_seconds())
    return max(clock - margin, PROOF_MARGIN.total_seconds())


def retry_seconds(attempts: int) -> float:
    """How long to wait after a failed run when `attempts` before it were made up for."""
    return min(FIRST_RETRY_S * 2.0**attempts, LONGEST_RETRY_S)


def read_known(database: Database, source: str, since: float | None) -> Known:
    """What waits for the next run of a source, apart from what the last run left as it was."""
    moment = None if since is None else datetime.fromtimestamp(since, UTC)
    with database.connect() as connection:
        row = connection.execute(
            load_statement("lifecycle/select_due_work"), {"source": source, "since": moment}
        ).one()
    return Known(
        row.listed_probe,
        row.is_locked,
        row.retries,
        row.reopened,
        row.leaving,
        None if row.failed_at is None else row.failed_at.timestamp(),
        row.failure,
        row.build_left,
    )


def decide(
    memory: Memory,
    probe: str,
    last: LastSync,
    known: Known,
    *,
    proof_age: float,
    now: float,
    settings: str | None = None,
) -> Memory | str:
    """What to remember when a run is due now; the reason when none is.

    `proof_age` is how old the last sync may become, in seconds, when the probe shows nothing.
    `settings` is the hash of the configuration file as it is now: another content starts a run,
    which tells a fault in it at once, or that it is corrected.
    """
    if last.is_unfinished or known.is_locked:
        return "its sync is running or waiting to run"
    asked = replace(
        memory, number=memory.number + 1, attempts=0, settings=settings or memory.settings
    )
    if memory.settings is not None and asked.settings != memory.settings:
        return asked
    is_changed = probe != known.listed_probe or known.has_work
    if last.has_failed or known.failed_at is not None:
        is_served = last.has_made_entries and known.failed_at is None
        if is_served and is_changed:
            # It serves changes while the settings or a build fail; none waits for the repair.
            return replace(asked, attempts=memory.attempts)
        ended_at = max(
            last.ended_at if last.has_failed and last.ended_at else 0.0, known.failed_at or 0.0
        )
        attempts = memory.attempts + (SERVED_ATTEMPTS if is_served else 0)
        wait = ended_at + retry_seconds(attempts) - now
        if wait > 0:
            return f"its last sync failed; the next attempt is in {wait:.0f} s"
        return replace(asked, attempts=memory.attempts + 1)
    is_old = last.entries_made_at is None or now - last.entries_made_at > proof_age
    return asked if is_changed or is_old else NOTHING_CHANGED


def hash_settings(path: Path) -> str | None:
    """The hash of a configuration file's content; None when it cannot be read."""
    try:
        return hash_bytes(path.read_bytes()).hex()
    except OSError:
        return None
