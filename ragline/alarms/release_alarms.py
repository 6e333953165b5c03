"""Finds the alarms about the gate: a forced promotion, and a candidate that did not pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ragline.alarms.alarm import Alarm, create_alarm


@dataclass(frozen=True, slots=True)
class ForcedPromotion:
    """The promotion of a candidate that the gate has not passed: when, by whom and why."""

    forced_at: datetime
    forced_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnpassedCandidate:
    """A candidate that the gate did not pass in a sync: its id, the report's id, and since when."""

    candidate: int
    report: int
    verdict: str
    since: datetime


def find_release_alarms(
    collection: str,
    live: int | None,
    forced: ForcedPromotion | None,
    unpassed: UnpassedCandidate | None,
) -> list[Alarm]:
    """Return the alarms of a collection about the gate. `live` is the id of its live generation."""
    alarms = []
    if forced is not None:
        alarms.append(_describe_forced(collection, live, forced))
    if unpassed is not None:
        alarms.append(_describe_unpassed(collection, unpassed))
    return alarms


def _describe_forced(collection: str, live: int | None, forced: ForcedPromotion) -> Alarm:
    return create_alarm(
        "promotion_forced",
        collection=collection,
        cause=(
            f"{forced.forced_by} promoted generation {live} of collection {collection}, which the "
            f"gate has not passed ({forced.reason})"
        ),
        remedy=(
            f"judge it with `ragline gate {collection} --candidate {live}`, or return to the "
            f"previous release with `ragline generation rollback {collection}`"
        ),
        since=forced.forced_at,
        severity="warning",
    )


def _describe_unpassed(collection: str, unpassed: UnpassedCandidate) -> Alarm:
    return create_alarm(
        "candidate_not_passed",
        collection=collection,
        cause=(
            f"the gate did not pass generation {unpassed.candidate} of collection {collection} "
            f"(report {unpassed.report}: {unpassed.verdict}), so no sync promotes it"
        ),
        remedy=(
            f"read the reasons with `ragline card {unpassed.candidate}`; then correct the "
            f"settings, or refuse it with `ragline generation refuse "
            f"{unpassed.candidate}`"
        ),
        since=unpassed.since,
        severity="warning",
    )
