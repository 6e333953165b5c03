"""Says whether the gate also judges reranked searches, and makes the check of them.

A request decides whether it is reranked, so a collection can serve searches of both kinds. To
rerank each query of a golden set takes time. So the gate does it only if the settings say how a
collection is reranked. The decision record 27 explains the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragline.configuration import CollectionSettings
from ragline.configuration.released_settings import list_changed_settings
from ragline.gate.checks import DECIDING_MEASURE, RERANKED, describe_comparison, name_measure
from ragline.gate.comparison import Values
from ragline.gate.paired_evaluation import PairedEvaluation
from ragline.gate.report import Check, Comparison, FallenQuery

RERANK_SETTINGS = frozenset({"reranker", "search.rerank_candidates", "search.rerank_weight"})


def is_reranking_judged(live: CollectionSettings, candidate: CollectionSettings) -> bool:
    """Whether one side of a comparison has other settings of reranking than the defaults."""
    defaults = CollectionSettings.model_construct(name=candidate.name)
    return any(
        RERANK_SETTINGS.intersection(list_changed_settings(defaults, side))
        for side in (live, candidate)
    )


def name_values(values: Mapping[str, Values]) -> dict[str, Values]:
    """Return the values of reranked searches with the names of their measures."""
    return {f"{RERANKED}{name}": of_measure for name, of_measure in values.items()}


def merge_fallen(plain: PairedEvaluation, reranked: PairedEvaluation) -> tuple[FallenQuery, ...]:
    """Return each query that fell in one kind of search, the largest fall first."""
    known = {one.id for one in plain.fallen}
    fallen = (*plain.fallen, *(one for one in reranked.fallen if one.id not in known))
    return tuple(sorted(fallen, key=lambda one: one.candidate_ndcg - one.live_ndcg))


def check_reranking(comparisons: Sequence[Comparison]) -> Check:
    """Make one check from the decided measures of reranked searches.

    Without them, the check passes, and its reason says that the gate did not rerank.
    """
    if not comparisons:
        reason = (
            "Not decided: the settings reranker, search.rerank_candidates and search.rerank_weight "
            "are the defaults, so the gate did not rerank."
        )
        return Check("reranking", "passed", reason)
    refused = [one for one in comparisons if one.is_refused]
    deciding = [one for one in comparisons if one.measure == f"{RERANKED}{DECIDING_MEASURE}"]
    sentences = [
        describe_comparison(one, f"In reranked searches, {name_measure(one.measure)}")
        for one in refused or deciding
    ]
    return Check("reranking", "refused" if refused else "passed", " ".join(sentences))
