"""Whether the vector index finds what is nearest: real queries once more, by it and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher

MOST_QUERIES = 50
DEPTH = 10
# A scan of everything may take longer than a search may.
LONGEST_SCAN_MS = 60_000
# Half precision: entries at one distance may come in either order.
TIE = 1e-4


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """The mean share of the ten nearest entries that searches by vector return."""

    generation: int
    queries: int
    recall_at_10: float


def measure_recall(
    searcher: Searcher, collection: str, queries: Sequence[str]
) -> IndexRecall | None:
    """Search for each query as the service does, and compare with a scan of all entries.

    The searcher must have a feedback weight of 0: a second look by other vectors is no fault of
    the index. None without queries, and for an empty index.
    """
    shares, generation = [], 0
    for query in queries:
        request = SearchRequest(collection, query, DEPTH, "vector", principals=None)
        answer = searcher.search(request)
        nearest = _name_hits(searcher.search(replace(request, exact=True)))
        if nearest:
            generation = answer.generation
            shares.append(share_of_nearest(_name_hits(answer), nearest))
    if not shares:
        return None
    return IndexRecall(generation, len(shares), sum(shares) / len(shares))


def share_of_nearest(
    found: Sequence[tuple[int, float]], nearest: Sequence[tuple[int, float]]
) -> float:
    """How many of the nearest entries were found, in 0…1; a tie with the last one counts."""
    ids, last = {id_ for id_, _ in nearest}, nearest[-1][1]
    count = sum(id_ in ids or score >= last - TIE for id_, score in found[: len(nearest)])
    return count / len(nearest)


def _name_hits(answer: SearchAnswer) -> list[tuple[int, float]]:
    return [(hit.receipt.entry_id, hit.score) for hit in answer.hits]
