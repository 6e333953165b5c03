"""Watches a new live generation: compares its online figures with the days before its promotion.

The pipeline calls `watch_collection` every minute (`dagster_project.watch_sensor`) and at the end
of a sync. The result is stored, so the status and the alarms do not compute it again. A retired
generation that becomes live again is not watched, because an operator or the watch has chosen it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings
from ragline.errors import GenerationStateError
from ragline.lifecycle.generation_decisions import Decision, roll_back
from ragline.rollout.online_figures import (
    CLICK_TIME,
    FIGURES,
    FigureComparison,
    compare_with_days_before,
)
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The trail of generations names the watch by this word.
WATCH = "watch"
# The watch of a generation that is as good as the one before it raises a false alarm with at most
# this probability. How often the watch compares the figures does not change this probability.
ERROR_RATE = 0.01
LEVEL = ERROR_RATE / len(FIGURES)
# A breach ends when the newest searches are good. The watch examines this multiple of
# `rollout.min_searches` searches for that.
RECOVERY_FACTOR = 2
# A breach ends when its figures are worse by at most this part of their margins. With the whole
# margins, the breach could begin again at once.
RECOVERED_PART = 0.5

# watching: no breach was found. breached: the figures are worse than before. rolled_back: the watch
# has made the previous generation live again. ended: the time of the watch has ended.
WatchState = Literal["watching", "breached", "rolled_back", "ended"]


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The last comparison of a watched generation.

    `reason` describes the figures of the breach. `rollback_error` says why the watch could not roll
    back. `replaced_by` is the generation that the rollback of the watch made live.
    """

    collection: str
    generation: int
    promoted_at: datetime
    state: WatchState
    figures: tuple[FigureComparison, ...] = ()
    reason: str | None = None
    breached_at: datetime | None = None
    rollback_error: str | None = None
    replaced_by: int | None = None


@dataclass(frozen=True, slots=True)
class _Watched:
    """The live generation of a collection, and what the last comparison stored about it.

    `is_return` says that the generation was live before.
    """

    generation_id: int
    promoted_at: datetime
    is_return: bool
    watched_from: datetime
    breached_at: datetime | None
    breached_figures: Sequence[str]
    reason: str | None
    rollback_error: str | None


def watch_collection(
    database: Database, settings: CollectionSettings, now: datetime | None = None
) -> WatchReport | None:
    """Compare the live generation of a collection with the days before, and store the result.

    If there is a breach and the settings ask for it, roll back. Returns None if no generation of
    the collection is watched. A second call is safe.
    """
    now = now or datetime.now(UTC)
    with database.begin() as connection:
        watched = _read_watched(connection, settings.name)
        if watched is None:
            return None
        if watched.is_return:
            connection.execute(
                load_statement("rollout/end_breach"), {"generation_id": watched.generation_id}
            )
            return None
        report, watched_from = _look(connection, settings, watched, now)
        if report.state != "ended":
            _store(connection, report, watched_from, now)
    if report.state == "breached" and settings.rollout.rollback == "automatic":
        return _roll_back(database, report)
    return report


def list_breaches(figures: Sequence[FigureComparison]) -> list[FigureComparison]:
    """Return the figures that are worse by more than their margin, if chance cannot explain it."""
    return [
        figure
        for figure in figures
        if figure.shares is not None
        and figure.worse > figure.margin
        and figure.shares.p_value <= LEVEL
    ]


def _read_watched(connection: Connection, collection: str) -> _Watched | None:
    statement = load_statement("rollout/select_watched_generation")
    row = connection.execute(statement, {"collection": collection}).mappings().one_or_none()
    return None if row is None else _Watched(**row)


def _look(
    connection: Connection, settings: CollectionSettings, watched: _Watched, now: datetime
) -> tuple[WatchReport, datetime]:
    """Return the report of a comparison, and the time from which the next one counts searches."""
    report = WatchReport(
        collection=settings.name,
        generation=watched.generation_id,
        promoted_at=watched.promoted_at,
        state="watching",
    )
    if watched.breached_at is not None:
        return _look_again(connection, settings, watched, report, now)
    if now > watched.promoted_at + settings.rollout.watch_for:
        return replace(report, state="ended"), watched.watched_from
    figures = _read_figures(connection, settings, watched, watched.watched_from, now)
    breaches = list_breaches(figures)
    report = replace(report, figures=tuple(figures))
    if breaches:
        reason = "; ".join(figure.describe() for figure in breaches)
        report = replace(report, state="breached", breached_at=now, reason=reason)
    return report, watched.watched_from


def _look_again(
    connection: Connection,
    settings: CollectionSettings,
    watched: _Watched,
    report: WatchReport,
    now: datetime,
) -> tuple[WatchReport, datetime]:
    """Decide whether a breach continues. If it has ended, the watch begins again.

    Returns the same as `_look`.
    """
    figures = _read_newest_figures(connection, settings, watched, now)
    recovered = {
        figure.name
        for figure in figures
        if figure.shares is not None and figure.worse <= RECOVERED_PART * figure.margin
    }
    report = replace(report, figures=tuple(figures))
    if {*watched.breached_figures} <= recovered:
        return report, now
    continued = replace(
        report,
        state="breached",
        breached_at=watched.breached_at,
        reason=watched.reason,
        rollback_error=watched.rollback_error,
    )
    return continued, watched.watched_from


def _read_newest_figures(
    connection: Connection, settings: CollectionSettings, watched: _Watched, now: datetime
) -> list[FigureComparison]:
    """Compare the newest searches since a breach. The list is empty if there are too few."""
    parameters = {
        "collection": settings.name,
        "generation_id": watched.generation_id,
        "start": watched.breached_at,
        "end": now - CLICK_TIME,
        "count": RECOVERY_FACTOR * settings.rollout.min_searches,
    }
    statement = load_statement("rollout/select_recent_start")
    start = connection.execute(statement, parameters).scalar_one()
    return [] if start is None else _read_figures(connection, settings, watched, start, now)


def _read_figures(
    connection: Connection,
    settings: CollectionSettings,
    watched: _Watched,
    since: datetime,
    now: datetime,
) -> list[FigureComparison]:
    return compare_with_days_before(
        connection, settings, watched.generation_id, watched.promoted_at, since, now
    )


def _store(
    connection: Connection, report: WatchReport, watched_from: datetime, now: datetime
) -> None:
    parameters = {
        "generation_id": report.generation,
        "collection": report.collection,
        "watched_from": watched_from,
        "checked_at": now,
        "breached_at": report.breached_at,
        "breached_figures": [figure.name for figure in list_breaches(report.figures)],
        "reason": report.reason,
        "figures": json.dumps([asdict(figure) for figure in report.figures]),
    }
    connection.execute(load_statement("rollout/upsert_promotion_watch"), parameters)


def _roll_back(database: Database, report: WatchReport) -> WatchReport:
    """Make the previous generation live. If that is impossible, store why."""
    decision = Decision(WATCH, f"worse online figures after the promotion: {report.reason}")
    try:
        promotion = roll_back(database, report.collection, decision, replaced_id=report.generation)
    except GenerationStateError as error:
        with database.begin() as connection:
            parameters = {"generation_id": report.generation, "error": str(error)}
            connection.execute(load_statement("rollout/record_rollback_error"), parameters)
        return replace(report, rollback_error=str(error))
    return replace(report, state="rolled_back", replaced_by=promotion.generation)
