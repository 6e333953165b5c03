"""Checks of `<source>/entries`: what must hold before anything is served, and the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    ResourceParam,
    asset_check,
    multi_asset_check,
)

from assets.keys import group_of, source_key
from assets.plots import plot_histogram
from assets.tables import make_table
from ragline.lifecycle.invariants import INVARIANTS, check_invariants
from ragline.lifecycle.workshop import Workshop
from ragline.sources.settings import SourceSettings
from ragline.status import SourceStatus, read_status
from ragline.storage.statements import load_statement

# A clock that is over by more than this many times its limit is an error, before that a warning.
ERROR_FACTOR = 2.0


def build_invariant_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """What must always hold, as blocking checks: nothing is published while one is broken."""
    key = source_key(settings.name, "entries")
    specs = [
        AssetCheckSpec(f"no_{rule.name}", asset=key, description=rule.description, blocking=True)
        for rule in INVARIANTS
    ]

    @multi_asset_check(name=f"{group_of(settings.name)}_invariants", specs=specs)
    def invariants(workshop: ResourceParam[Workshop]) -> Iterator[AssetCheckResult]:
        for verdict in check_invariants(workshop, settings.name):
            yield AssetCheckResult(
                check_name=f"no_{verdict.invariant.name}",
                passed=verdict.holds,
                severity=AssetCheckSeverity.ERROR,
                metadata={
                    "broken": verdict.broken_count,
                    "documents": make_table(["document"], [[name] for name in verdict.documents]),
                },
            )

    return invariants


def invariant_keys(source: str) -> list[AssetCheckKey]:
    """The keys of a source's blocking checks."""
    key = source_key(source, "entries")
    return [AssetCheckKey(key, f"no_{rule.name}") for rule in INVARIANTS]


def build_clock_check(settings: SourceSettings) -> AssetChecksDefinition:
    """Whether the source's changes are visible within its declared time."""

    @asset_check(
        asset=source_key(settings.name, "entries"),
        name="changes_are_visible_in_time",
        description=(
            f"No document of `{settings.name}` waits longer than {settings.visible_within} "
            "from being noticed to being visible."
        ),
    )
    def changes_are_visible_in_time(workshop: ResourceParam[Workshop]) -> AssetCheckResult:
        sources = read_status(workshop.database).sources
        status = next(source for source in sources if source.source == settings.name)
        return judge_visibility(status, settings.visible_within, _read_seconds(workshop, settings))

    return changes_are_visible_in_time


def judge_visibility(
    status: SourceStatus, within: timedelta, seconds: Sequence[float]
) -> AssetCheckResult:
    """The check's result: a warning when the clock is over, an error when it is far over.

    `seconds` are the times that documents took to become visible.
    """
    waiting = status.visible.waiting_seconds
    is_far_over = waiting > ERROR_FACTOR * within.total_seconds()
    return AssetCheckResult(
        check_name="changes_are_visible_in_time",
        passed=status.visible.state != "late",
        severity=AssetCheckSeverity.ERROR if is_far_over else AssetCheckSeverity.WARN,
        metadata={
            "visible_within_seconds": within.total_seconds(),
            "longest_wait_seconds": round(waiting, 1),
            "p95_seconds": round(status.visible_p95_seconds or 0.0, 3),
            "slowest_seconds": round(status.visible_max_seconds or 0.0, 3),
            "clock": status.visible.state,
            "seconds_to_visible": plot_histogram(seconds, "seconds from noticed to visible"),
        },
    )


def _read_seconds(workshop: Workshop, settings: SourceSettings) -> list[float]:
    statement = load_statement("checks/select_visible_seconds")
    with workshop.database.connect() as connection:
        return list(connection.execute(statement, {"source": settings.name}).scalars())
