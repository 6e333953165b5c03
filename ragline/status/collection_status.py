"""Reads the status of each collection: its generations, its counts and its alarms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from ragline.alarms import (
    Alarm,
    ForcedPromotion,
    QualityDrop,
    UnpassedCandidate,
    find_collection_alarms,
    find_release_alarms,
)
from ragline.errors import ConfigurationError
from ragline.lifecycle.forced_releases import ForcedRelease, list_forced_releases
from ragline.storage.statements import load_statement

# The names of the columns about a quality drop begin with this text. These columns are null if
# there is no quality drop.
DROP_PREFIX = "drop_"


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """The state of one collection.

    `generation` is the id of the live generation; it is None before the first promotion.
    `building`, `retired` and `candidates` count the generations in these states. If the configured
    generation could not be built, `build_error` is the reason. `notice` says what an operator must
    decide; only `ragline status` sets it. `forced_promotion` describes the forced promotion of the
    live generation, or the forced release of its search settings. It is None if there was none, or
    if a later gate has passed what was forced.
    """

    collection: str
    embedding_model: str | None
    generation: int | None
    documents: int
    entries: int
    promoted_at: datetime | None
    building: int
    retired: int
    build_error_name: str | None = None
    build_error: str | None = None
    build_error_since: datetime | None = None
    alarms: list[str] = field(default_factory=list)
    alarm_details: list[Alarm] = field(default_factory=list)
    candidates: int = 0
    notice: str | None = None
    forced_promotion: ForcedPromotion | None = None


def read_collections(connection: Connection) -> list[CollectionStatus]:
    """Return the status of each collection that was synced at least once, sorted by name."""
    rows = connection.execute(load_statement("status/select_collection_states")).mappings()
    forced = {one.collection: one for one in list_forced_releases(connection)}
    return [_describe_collection(row, forced.get(row["collection"])) for row in rows]


def _describe_collection(row: RowMapping, release: ForcedRelease | None) -> CollectionStatus:
    facts: dict[str, Any] = {
        name: value for name, value in row.items() if not name.startswith(DROP_PREFIX)
    }
    drop = {name.removeprefix(DROP_PREFIX): row[name] for name in row if name not in facts}
    forced, unpassed = _take_forced(facts, release), _take_unpassed(facts)
    can_roll_back = facts.pop("can_roll_back")
    alarms = find_collection_alarms(
        row["collection"],
        build_error=row["build_error"],
        is_refused=row["build_error_name"] == ConfigurationError.__name__,
        since=row["build_error_since"],
        quality_drop=None if drop["generation"] is None else QualityDrop(**drop),
        can_roll_back=can_roll_back,
    )
    alarms += find_release_alarms(
        row["collection"], row["generation"], forced, unpassed,
        retired=row["retired"], can_roll_back=can_roll_back,
    )  # fmt: skip
    return CollectionStatus(
        **{**facts, "entries": row["entries"] or 0},  # null without a generation
        alarms=[alarm.text for alarm in alarms],
        alarm_details=alarms,
        forced_promotion=forced,
    )


def _take_forced(values: dict[str, Any], release: ForcedRelease | None) -> ForcedPromotion | None:
    """Return what was forced. The gate judges forced settings first, so they come first."""
    names = ("at", "by", "reason", "against")
    at, by, reason, against = (values.pop(f"forced_{name}") for name in names)
    if release is not None:
        return ForcedPromotion(
            release.released_at, release.released_by, release.reason, release.forced_against,
            release.changed_settings,
        )  # fmt: skip
    return None if at is None else ForcedPromotion(at, by, reason, against)


def _take_unpassed(values: dict[str, Any]) -> UnpassedCandidate | None:
    names = ("candidate", "report", "verdict", "since")
    candidate, *rest = (values.pop(f"unpassed_{name}") for name in names)
    return None if candidate is None else UnpassedCandidate(candidate, *rest)
