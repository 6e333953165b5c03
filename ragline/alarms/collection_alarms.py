"""Finds the alarms of a whole collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ragline.alarms.alarm import Alarm, create_alarm


@dataclass(frozen=True, slots=True)
class QualityDrop:
    """A promoted generation whose online figures are worse than in the days before.

    `reason` describes the figures. `is_rolled_back` says that the watch has made the previous
    generation live again. `rollback_error` says why the watch could not do that.
    """

    generation: int
    since: datetime
    reason: str
    is_rolled_back: bool
    rollback_error: str | None


def find_collection_alarms(
    collection: str,
    *,
    build_error: str | None,
    is_refused: bool,
    since: datetime | None,
    quality_drop: QualityDrop | None = None,
    can_roll_back: bool = True,
) -> list[Alarm]:
    """Return the alarms of a collection.

    `build_error` says why the configured generation cannot be built. `is_refused` says whether the
    settings are the cause, and `since` is the time of the first failed build. `can_roll_back` says
    whether a rollback would find a release to return to.
    """
    alarms = []
    if build_error is not None:
        alarms.append(_describe_build_error(collection, build_error, since, is_refused=is_refused))
    if quality_drop is not None:
        alarms.append(_describe_quality_drop(collection, quality_drop, can_roll_back=can_roll_back))
    return alarms


def _describe_build_error(
    collection: str, build_error: str, since: datetime | None, *, is_refused: bool
) -> Alarm:
    if is_refused:
        return create_alarm(
            "settings_refused",
            collection=collection,
            cause=f"the settings of collection {collection} cannot be satisfied: {build_error}",
            remedy=(
                "correct ragline.yaml (`ragline check` finds all faults); the live index is served "
                "and kept up to date meanwhile"
            ),
            since=since,
        )
    return create_alarm(
        "generation_build_failed",
        collection=collection,
        cause=(
            f"the configured generation of collection {collection} cannot be built: {build_error}"
        ),
        remedy=(
            "fix what the message names (docs/errors.md); the next sync tries again, and the "
            "live index is served and kept up to date meanwhile"
        ),
        since=since,
    )


def _describe_quality_drop(collection: str, drop: QualityDrop, *, can_roll_back: bool) -> Alarm:
    subject = f"generation {drop.generation} of collection {collection}"
    if drop.is_rolled_back:
        return create_alarm(
            "quality_dropped",
            severity="warning",
            collection=collection,
            cause=f"{subject} was rolled back automatically: {drop.reason}",
            remedy=(
                "restore the settings of the live generation in ragline.yaml; then delete the "
                f"other one with `ragline generation drop {drop.generation}`"
            ),
            since=drop.since,
        )
    returns = f"return to the previous release with `ragline generation rollback {collection}`, or "
    failed = "" if drop.rollback_error is None else f" (no rollback: {drop.rollback_error})"
    return create_alarm(
        "quality_dropped",
        collection=collection,
        cause=(
            f"since its promotion, {subject} is worse than the days before: {drop.reason}{failed}"
        ),
        remedy=(
            f"{returns if can_roll_back else ''}remove the cause; the alarm ends when the searches "
            "are as good as before"
        ),
        since=drop.since,
    )
