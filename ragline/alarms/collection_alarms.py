"""Finds the alarms of a whole collection."""

from __future__ import annotations

from datetime import datetime

from ragline.alarms.alarm import Alarm, create_alarm


def find_collection_alarms(
    collection: str, *, build_error: str | None, is_refused: bool, since: datetime | None
) -> list[Alarm]:
    """The alarm of a collection whose configured generation cannot be built.

    `build_error` is the reason. Without a `build_error`, the list is empty. `is_refused` says
    whether the settings are the cause. `since` is the time of the first failure.
    """
    if build_error is None:
        return []
    if is_refused:
        alarm = create_alarm(
            "settings_refused",
            collection=collection,
            cause=f"the settings of collection {collection} cannot be satisfied: {build_error}",
            remedy=(
                "correct ragline.yaml (ragline check finds all faults); the live index is served "
                "and kept up to date meanwhile"
            ),
            since=since,
        )
    else:
        alarm = create_alarm(
            "generation_build_failed",
            collection=collection,
            cause=(
                f"the configured generation of collection {collection} cannot be built: "
                f"{build_error}"
            ),
            remedy=(
                "fix what the message names (docs/errors.md); the next sync tries again, and the "
                "live index is served and kept up to date meanwhile"
            ),
            since=since,
        )
    return [alarm]
