"""Decides when a sync of a source is due.

This module creates no object of Dagster. The sensors are in `sensors`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from ragline.fingerprints import hash_bytes
from ragline.lifecycle.pending_work import PendingWork
from ragline.sources.settings import SourceSettings

NOTHING_CHANGED = "nothing changed"
# Dagster evaluates sensors every 5 seconds. With an interval of 5, a sensor would often be skipped.
MIN_INTERVAL_S = 4
MAX_INTERVAL_S = 600
# The number of probes within the limits of a source's two clocks. The shorter limit counts.
PROBES_PER_CLOCK = 20
# Only a listing proves that a source has not changed. So a source is also synced if no change was
# noticed, and this run must end before the shorter limit of the source's clocks has passed.
# PROOF_SHARE is the share of the limit that is reserved for the run. The reserved time is at least
# PROOF_MARGIN.
PROOF_SHARE = 0.2
PROOF_MARGIN = timedelta(seconds=30)
FIRST_RETRY_DELAY_S = 10.0
MAX_RETRY_DELAY_S = 600.0
# If a run failed only at the index of its collection (refused settings, a failed build), the source
# itself is up to date. So the first retry is later, as if this many retries had failed already.
SERVED_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SensorCursor:
    """What a change sensor stores between two evaluations.

    The probe is not stored here. A sync is due if the probe differs from the probe of the last
    listing (`PendingWork.listed_probe`).

    Attributes:
        number: How many runs the sensor has requested.
        attempts: How many of the last runs were retries of a failed run.
        is_away: Whether the last probe found the source unreachable.
        settings: The hash of the configuration file when the last run was requested.
    """

    number: int = 0
    attempts: int = 0
    is_away: bool = False
    settings: str | None = None

    @classmethod
    def read(cls, cursor: str | None) -> SensorCursor:
        """Read the cursor from Dagster's text. None gives the first cursor."""
        stored = json.loads(cursor) if cursor else {}
        return cls(
            stored.get("number", 0),
            stored.get("attempts", 0),
            stored.get("is_away", False),
            stored.get("settings"),
        )

    def write(self) -> str:
        """The cursor as text for Dagster."""
        return json.dumps(asdict(self))

    @property
    def run_key(self) -> str:
        """The key of the requested run. Dagster starts at most one run for a key."""
        return str(self.number)


@dataclass(frozen=True, slots=True)
class LastSync:
    """The state of the last run of a source. Times are seconds since 1970. None means never."""

    is_unfinished: bool = False
    has_failed: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    entries_made_at: float | None = None

    @property
    def has_made_entries(self) -> bool:
        """Whether the run completed all stages of the source before the stage `publish`."""
        if self.started_at is None or self.entries_made_at is None:
            return False
        return self.entries_made_at >= self.started_at


def probe_interval_s(settings: SourceSettings) -> int:
    """The time between two probes of a source, derived from the shorter limit of its clocks.

    A local source is probed as often as Dagster can do it, because its probe takes milliseconds.
    """
    if settings.is_local:
        return MIN_INTERVAL_S
    clock = min(settings.visible_within, settings.forgotten_within)
    wanted = clock.total_seconds() / PROBES_PER_CLOCK
    return int(min(max(wanted, MIN_INTERVAL_S), MAX_INTERVAL_S))


def max_sync_age_s(settings: SourceSettings) -> float:
    """Return the age that the last sync can reach before the next one is due without a change."""
    clock = min(settings.visible_within, settings.forgotten_within).total_seconds()
    margin = max(PROOF_SHARE * clock, PROOF_MARGIN.total_seconds())
    return max(clock - margin, PROOF_MARGIN.total_seconds())


def retry_delay_s(attempts: int) -> float:
    """The delay before the next retry, after a run and `attempts` retries of it failed."""
    return min(FIRST_RETRY_DELAY_S * 2.0**attempts, MAX_RETRY_DELAY_S)


def decide(
    cursor: SensorCursor,
    probe: str,
    last: LastSync,
    pending: PendingWork,
    *,
    max_age_s: float,
    now: float,
    settings: str | None = None,
) -> SensorCursor | str:
    """The next cursor if a run is due now. Otherwise the reason why no run is due.

    Without a change, a run is due if the last sync is older than `max_age_s`. `settings` is the
    current hash of the configuration file. A changed file starts a run, so that an error in the
    file, or its correction, is reported at once.
    """
    if last.is_unfinished or pending.is_locked:
        return "its sync is running or waiting to run"
    requested = replace(
        cursor, number=cursor.number + 1, attempts=0, settings=settings or cursor.settings
    )
    if cursor.settings is not None and requested.settings != cursor.settings:
        return requested
    is_changed = probe != pending.listed_probe or not pending.is_empty
    if last.has_failed or pending.failed_at is not None:
        return _decide_after_failure(
            cursor, requested, last, pending, is_changed=is_changed, now=now
        )
    is_old = last.entries_made_at is None or now - last.entries_made_at > max_age_s
    return requested if is_changed or is_old else NOTHING_CHANGED


def _decide_after_failure(
    cursor: SensorCursor,
    requested: SensorCursor,
    last: LastSync,
    pending: PendingWork,
    *,
    is_changed: bool,
    now: float,
) -> SensorCursor | str:
    is_served = last.has_made_entries and pending.failed_at is None
    if is_served and is_changed:
        # A run updates the live index even if the settings are refused or a build fails.
        return replace(requested, attempts=cursor.attempts)
    ended_at = max(
        last.ended_at if last.has_failed and last.ended_at else 0.0, pending.failed_at or 0.0
    )
    attempts = cursor.attempts + (SERVED_ATTEMPTS if is_served else 0)
    delay = ended_at + retry_delay_s(attempts) - now
    if delay > 0:
        return f"its last sync failed; the next attempt is in {delay:.0f} s"
    return replace(requested, attempts=cursor.attempts + 1)


def hash_configuration(path: Path) -> str | None:
    """The hash of the content of a configuration file; None if it cannot be read."""
    try:
        return hash_bytes(path.read_bytes()).hex()
    except OSError:
        return None
