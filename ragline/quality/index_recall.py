"""Index recall: recorded queries are searched again with and without the vector index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher

MAX_QUERIES = 50
DEPTH = 10
# A scan of all entries may take longer than a search.
SCAN_TIMEOUT_MS = 60_000
# Vectors have half precision, so scores this close are equal.
SCORE_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """The mean share of the ten nearest entries that the vector index returns."""

    generation: int
    queries: int
    recall_at_10: float


def measure_recall(
    searcher: Searcher, collection: str, queries: Sequence[str]
) -> IndexRecall | None:
    """Search for each query as the service does, and compare with a scan of all entries.

    The searcher must have a feedback weight of 0, because the feedback pass searches with another
    vector. None without queries or for an empty index.
    """
    shares, generation = [], 0
    for query in queries:
        request = SearchRequest(collection, query, DEPTH, "vector", principals=None)
        answer = searcher.search(request)
        nearest = _list_scores(searcher.search(replace(request, exact=True)))
        if nearest:
            generation = answer.generation
            shares.append(share_of_nearest(_list_scores(answer), nearest))
    if not shares:
        return None
    return IndexRecall(generation, len(shares), sum(shares) / len(shares))


def share_of_nearest(
    found: Sequence[tuple[int, float]], nearest: Sequence[tuple[int, float]]
) -> float:
    """The share of the nearest entries that were found, in 0…1.

    An entry with the score of the last of them counts as nearest.
    """
    ids, last = {id_ for id_, _ in nearest}, nearest[-1][1]
    count = sum(
        id_ in ids or score >= last - SCORE_TOLERANCE for id_, score in found[: len(nearest)]
    )
    return count / len(nearest)


def _list_scores(answer: SearchAnswer) -> list[tuple[int, float]]:
    return [(hit.receipt.entry_id, hit.score) for hit in answer.hits]
