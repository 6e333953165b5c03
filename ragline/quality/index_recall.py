"""Measures the index recall: searches for queries with the vector index and by a complete scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher

MAX_QUERIES = 50
DEPTH = 10
# A scan of all entries can take longer than a search.
SCAN_TIMEOUT_MS = 60_000
# Vectors have half precision. Therefore scores that differ by less than this value count as equal.
SCORE_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """The mean share of the ten nearest entries that the vector index returns."""

    generation: int
    queries: int
    recall_at_10: float


def measure_recall(
    searcher: Searcher, collection: str, queries: Sequence[str], generation_id: int | None = None
) -> IndexRecall | None:
    """Search for each query with the vector index, and compare the hits with a scan of all entries.

    `generation_id` names the generation. If it is None, the live generation is measured. The
    settings of the searcher must have the feedback weight 0, because a feedback pass would search
    with another vector. The result is None if there are no queries, or if the index is empty.
    """
    shares, generation = [], 0
    for query in queries:
        request = SearchRequest(
            collection, query, DEPTH, "vector", principals=None, min_confidence=0
        )
        answer = searcher.search(request, generation_id=generation_id)
        exact = searcher.search(replace(request, exact=True), generation_id=generation_id)
        nearest = _list_scores(exact)
        if nearest:
            generation = answer.generation
            shares.append(share_of_nearest(_list_scores(answer), nearest))
    if not shares:
        return None
    return IndexRecall(generation, len(shares), sum(shares) / len(shares))


def share_of_nearest(
    found: Sequence[tuple[int, float]], nearest: Sequence[tuple[int, float]]
) -> float:
    """Return the share of the nearest entries that were found, from 0 to 1.

    An entry whose score equals the last score of `nearest` also counts as nearest.
    """
    ids, last = {id_ for id_, _ in nearest}, nearest[-1][1]
    count = sum(
        id_ in ids or score >= last - SCORE_TOLERANCE for id_, score in found[: len(nearest)]
    )
    return count / len(nearest)


def _list_scores(answer: SearchAnswer) -> list[tuple[int, float]]:
    return [(hit.receipt.entry_id, hit.score) for hit in answer.hits]
