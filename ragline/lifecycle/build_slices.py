"""How long a run builds a generation beside the live one: until something else waits.

A run holds its source, so a change would wait for hours of embedding. Between the batches of a
build the run looks whether the source has changed; then it leaves the rest to the next run, which
lists the source, serves the live generation and goes on with the build. What was made is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from ragline.lifecycle.generations import Generation, OpenGenerations
from ragline.lifecycle.run_context import RunContext
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from ragline.storage.statements import load_statement

# A stage builds for so long, or this share of the shorter clock, before it gives way to a change:
# a source that changes all the time must not keep a build from its end.
PATIENCE_S = 10.0
PATIENCE_SHARE = 0.1
# How often a source is looked at meanwhile: one on this machine, else a share of the shorter clock.
LOCAL_LOOK_S = 2.0
LOOK_SHARE = 0.05
# A source whose probe proves nothing is listed again after this share of the shorter clock.
LISTING_SHARE = 0.5
LEAST_LISTING_AGE = timedelta(seconds=60)


def begin_slice(
    run_context: RunContext, source_name: str, opened: OpenGenerations, generation: Generation
) -> Callable[[], bool]:
    """Whether a stage has to leave a generation's build to the next run; asked after each batch.

    Never for the live generation, nor while a collection has none: no change could be seen.
    """
    if not opened.is_beside_live(generation):
        return lambda: False
    return _Slice(run_context, source_name, generation).is_over


def count_build_left(run_context: RunContext, source_name: str, source_id: int) -> int | None:
    """The documents of a source that a build lacks which was left to the next run; else None.

    A build that was finished all the same counts as not left.
    """
    left = {}
    for name, generation_id in sorted(run_context.paused):
        if name == source_name:
            parameters = {"source_id": source_id, "generation_id": generation_id}
            with run_context.database.connect() as connection:
                row = connection.execute(load_statement("lifecycle/count_build_left"), parameters)
                left[name, generation_id] = int(row.scalar_one())
    run_context.paused -= {one for one, count in left.items() if count == 0}
    return max(left.values(), default=0) or None


class _Slice:
    """A stage's time for one generation of one source."""

    def __init__(self, run_context: RunContext, source_name: str, generation: Generation) -> None:
        self._run_context = run_context
        self._key = (source_name, generation.id)
        self._is_over = False
        self._next_look = monotonic()
        if self._key not in run_context.paused:
            settings = run_context.configuration.source(source_name)
            self._next_look += min(PATIENCE_S, PATIENCE_SHARE * _shorter_clock(settings))

    def is_over(self) -> bool:
        if not self._is_over and monotonic() >= self._next_look:
            held = self._run_context.held_sources
            self._is_over = any(_has_news(self._run_context, name) for name in held)
            waits = [_look_seconds(self._run_context.configuration.source(name)) for name in held]
            self._next_look = monotonic() + min(waits, default=0.0)
        if self._is_over:
            self._run_context.paused.add(self._key)
        return self._is_over


def _has_news(run_context: RunContext, source_name: str) -> bool:
    """Whether a source has to be synced again, as far as can be told without listing it."""
    settings = run_context.configuration.source(source_name)
    with run_context.database.connect() as connection:
        row = connection.execute(
            load_statement("lifecycle/select_news"), {"source": source_name}
        ).one()
    if row.is_waiting:
        return True
    least = LEAST_LISTING_AGE.total_seconds()
    if not KINDS[settings.kind].is_probe_complete and row.listed_for > max(
        LISTING_SHARE * _shorter_clock(settings), least
    ):
        return True
    try:
        probe = run_context.open_source(source_name).probe()
    except Exception:  # noqa: BLE001  whatever it is, it is no reason to stop building
        return False
    return bool(probe != row.listed_probe)


def _shorter_clock(settings: SourceSettings) -> float:
    return min(settings.visible_within, settings.forgotten_within).total_seconds()


def _look_seconds(settings: SourceSettings) -> float:
    if settings.is_local:
        return LOCAL_LOOK_S
    return max(LOOK_SHARE * _shorter_clock(settings), LOCAL_LOOK_S)
