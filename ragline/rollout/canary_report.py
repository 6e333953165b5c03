"""Compares the searches that the candidate has answered with the other searches of the same time.

The canary consists of callers and not of searches. Many searches of one client say less about
quality than the same number of searches of many clients. Therefore the design effect is measured on
clients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ragline.configuration import CollectionSettings
from ragline.errors import UnknownGenerationError
from ragline.rollout.online_figures import (
    FIGURES,
    Figure,
    FigureComparison,
    compare_figure,
    count_clusters,
    list_limits,
)
from ragline.rollout.shadow_reads import read_candidates
from ragline.rollout.share_comparison import find_design_effect
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """The newest searches since the first answer of the candidate to a caller of the canary.

    At most MAX_SEARCHES are counted in each group. `canary_searches` counts the searches of callers
    of the canary. `failures` counts those of them that the live generation answered, because the
    candidate could not. `other_searches` counts the searches of all other callers, which are the
    reference. `figures` compare both groups. `since` is None if the candidate has answered no
    caller of the canary.
    """

    collection: str
    candidate: int
    since: datetime | None
    canary_searches: int
    canary_clients: int
    failures: int
    other_searches: int
    other_clients: int
    figures: tuple[FigureComparison, ...]


def compare_canary(database: Database, settings: CollectionSettings) -> CanaryReport:
    """Compare the canary of the newest candidate with the other searches. Nothing is written.

    Raises:
        UnknownGenerationError: the collection has no candidate.
    """
    candidate_id = _find_candidate(database, settings.name)
    parameters = {
        **list_limits(settings, datetime.now(UTC)),
        "collection": settings.name,
        "candidate_id": candidate_id,
    }
    with database.connect() as connection:
        statement = load_statement("rollout/count_searches_by_client")
        rows = [dict(row) for row in connection.execute(statement, parameters).mappings()]
    canary = [row for row in rows if row["is_new"]]
    others = [row for row in rows if not row["is_new"]]
    return CanaryReport(
        collection=settings.name,
        candidate=candidate_id,
        since=next((row["since"] for row in rows), None),
        canary_searches=sum(row["searches"] for row in canary),
        canary_clients=len(canary),
        failures=sum(row["failures"] for row in canary),
        other_searches=sum(row["searches"] for row in others),
        other_clients=len(others),
        figures=tuple(_compare_clients(settings, one, others, canary) for one in FIGURES),
    )


def _find_candidate(database: Database, collection: str) -> int:
    candidate_id = read_candidates(database, [collection]).get(collection)
    if candidate_id is None:
        raise UnknownGenerationError(
            f"collection {collection} has no candidate; `ragline generation list {collection}` "
            "shows all generations"
        )
    return candidate_id


def _compare_clients(
    settings: CollectionSettings,
    figure: Figure,
    others: Sequence[Mapping[str, Any]],
    canary: Sequence[Mapping[str, Any]],
) -> FigureComparison:
    reference, new = (
        count_clusters(figure, ((row["client"], row) for row in group))
        for group in (others, canary)
    )
    effect = max(find_design_effect(reference), find_design_effect(new))
    slow_ms = next((row["slow_ms"] for row in others), None)
    return compare_figure(settings, figure, reference, new, effect, slow_ms)
