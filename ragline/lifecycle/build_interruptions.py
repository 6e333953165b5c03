"""How a run interrupts the build of a new generation when a source has changed.

A run locks its sources, and the build of a generation can take hours. A change of a source would
have to wait for the end of the build. Therefore the run checks between two batches of the build
whether a source that it has locked has changed. If a source has changed, the run leaves the rest of
the build to the next run. The next run lists the source, updates the live generation and continues
the build. The finished work stays in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from ragline.lifecycle.run_context import RunContext
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from ragline.storage.statements import load_statement

# The minimum time for which a stage works on a build before a change interrupts the build. It is
# MIN_BUILD_S, or MIN_BUILD_RATIO times the source's shorter limit (`visible_within` or
# `forgotten_within`) if that is less. Without a minimum, a build would never end if its source
# changes all the time.
MIN_BUILD_S = 10.0
MIN_BUILD_RATIO = 0.1
# The interval between two checks of a source during a build. The interval is fixed for a source on
# this machine. For another source, it is CHECK_INTERVAL_RATIO times the shorter limit.
LOCAL_CHECK_INTERVAL_S = 2.0
CHECK_INTERVAL_RATIO = 0.05
# A source whose probe does not detect every change counts as changed when its last listing is older
# than LISTING_AGE_RATIO times the shorter limit, and also older than MIN_LISTING_AGE.
LISTING_AGE_RATIO = 0.5
MIN_LISTING_AGE = timedelta(seconds=60)


def make_pause_check(
    run_context: RunContext, source_name: str, generation_id: int
) -> Callable[[], bool]:
    """Return a function that says whether the run should leave a build to the next run.

    The caller calls the function after each batch of the build.
    """
    return _PauseCheck(run_context, source_name, generation_id).should_pause


def count_build_left(run_context: RunContext, source_name: str, source_id: int) -> int | None:
    """Return the number of documents that the unfinished build of a source does not contain yet.

    Only builds that this run left to the next run count. If there are several, the largest number
    is returned. If there is no such build, or if all of them are complete by now, the result is
    None. Complete builds are removed from `run_context.paused_builds`.
    """
    left = {}
    for name, generation_id in sorted(run_context.paused_builds):
        if name == source_name:
            parameters = {"source_id": source_id, "generation_id": generation_id}
            statement = load_statement("lifecycle/count_unindexed_of_source")
            with run_context.database.connect() as connection:
                row = connection.execute(statement, parameters)
                left[name, generation_id] = int(row.scalar_one())
    run_context.paused_builds -= {build for build, count in left.items() if count == 0}
    return max(left.values(), default=0) or None


class _PauseCheck:
    """Decides when to pause the build of one generation for one source in one stage."""

    def __init__(self, run_context: RunContext, source_name: str, generation_id: int) -> None:
        self._run_context = run_context
        self._build = (source_name, generation_id)
        self._is_paused = False
        self._next_check = monotonic()
        if self._build not in run_context.paused_builds:
            settings = run_context.configuration.source(source_name)
            self._next_check += min(MIN_BUILD_S, MIN_BUILD_RATIO * _shorter_clock(settings))

    def should_pause(self) -> bool:
        if not self._is_paused and monotonic() >= self._next_check:
            locked = self._run_context.locked_sources
            self._is_paused = any(_has_changed(self._run_context, name) for name in locked)
            settings = self._run_context.configuration.source
            waits = [_check_interval(settings(name)) for name in locked]
            self._next_check = monotonic() + min(waits, default=0.0)
        if self._is_paused:
            self._run_context.paused_builds.add(self._build)
        return self._is_paused


def _has_changed(run_context: RunContext, source_name: str) -> bool:
    """Return whether a source needs another sync, according to its probe and the ledger."""
    settings = run_context.configuration.source(source_name)
    with run_context.database.connect() as connection:
        row = connection.execute(
            load_statement("lifecycle/select_changes_since_listing"), {"source": source_name}
        ).one()
    if row.is_waiting:
        return True
    max_age = max(LISTING_AGE_RATIO * _shorter_clock(settings), MIN_LISTING_AGE.total_seconds())
    if not KINDS[settings.kind].is_probe_complete and row.listed_for > max_age:
        return True
    try:
        probe = run_context.open_source(source_name).probe()
    except Exception:  # noqa: BLE001  a failed probe does not interrupt a build
        return False
    return bool(probe != row.listed_probe)


def _shorter_clock(settings: SourceSettings) -> float:
    """Return the shorter limit of a source, in seconds: `visible_within` or `forgotten_within`."""
    return min(settings.visible_within, settings.forgotten_within).total_seconds()


def _check_interval(settings: SourceSettings) -> float:
    if settings.is_local:
        return LOCAL_CHECK_INTERVAL_S
    return max(CHECK_INTERVAL_RATIO * _shorter_clock(settings), LOCAL_CHECK_INTERVAL_S)
