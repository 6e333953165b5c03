"""Finds the alarms about the gate: a forced promotion, and a candidate that did not pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ragline.alarms.alarm import Alarm, create_alarm


@dataclass(frozen=True, slots=True)
class ForcedPromotion:
    """A promotion that a person forced: when, by whom and why.

    `settings` names the changed search settings if the live generation stayed the same. `against`
    is the obstacle that the person overrode. It is None if an older version of Ragline made the
    promotion.
    """

    forced_at: datetime
    forced_by: str
    reason: str | None
    against: str | None = None
    settings: tuple[str, ...] = ()


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
    *,
    retired: int = 1,
    can_roll_back: bool = True,
) -> list[Alarm]:
    """Return the alarms of a collection about the gate. `live` is the id of its live generation.

    `retired` is the number of retired generations, with which the gate can compare a forced one.
    `can_roll_back` says whether a rollback would find a release to return to.
    """
    alarms = []
    if forced is not None:
        is_comparable = bool(retired or forced.settings)
        steps = _list_steps(
            collection, live, forced, is_comparable=is_comparable, can_roll_back=can_roll_back
        )
        alarms.append(_describe_forced(collection, live, forced, steps))
    if unpassed is not None:
        alarms.append(_describe_unpassed(collection, unpassed))
    return alarms


def _list_steps(
    collection: str,
    live: int | None,
    forced: ForcedPromotion,
    *,
    is_comparable: bool,
    can_roll_back: bool,
) -> list[str]:
    """Return what an operator can do now about a forced promotion."""
    steps = []
    if is_comparable:
        judged = "them" if forced.settings else "it"
        steps.append(f"judge {judged} with `ragline gate {collection} --candidate {live}`")
    if can_roll_back:
        rollback = f"`ragline generation rollback {collection}`"
        steps.append(f"return to the previous release with {rollback}")
    return steps or ["build and promote another generation, because no retired one is left"]


def _describe_forced(
    collection: str, live: int | None, forced: ForcedPromotion, steps: list[str]
) -> Alarm:
    subject, judged = f"promoted generation {live}", "it"
    end = "or when another generation becomes live"
    if forced.settings:
        names = ", ".join(forced.settings)
        subject, judged = f"released search settings ({names})", "them"
        end = "or when other settings or another generation become live"
    against = forced.against or "the gate has not passed it"
    return create_alarm(
        "promotion_forced",
        collection=collection,
        cause=(
            f"{forced.forced_by} {subject} of collection {collection} by force "
            f"({forced.reason}), in spite of this: {against}"
        ),
        remedy=(
            f"{', or '.join(steps)}; the alarm ends when a gate passes {judged} (without a golden "
            f"set, when a person approves the report), {end}"
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
            f"{unpassed.candidate} --reason …`"
        ),
        since=unpassed.since,
        severity="warning",
    )
