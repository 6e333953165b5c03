"""Whether the vector index finds what is nearest: real queries once more, by it and without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgvector import HalfVector
from sqlalchemy import Connection

from ragline.quality.topics import Floats
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

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
    database: Database, searcher: Searcher, collection: str, vectors: Mapping[str, Floats]
) -> IndexRecall | None:
    """Search for each query as the service does, and compare with a scan of all entries.

    `vectors` are the queries with their vectors. The searcher must have a feedback weight of 0: a
    second look by other vectors is no fault of the index. None without queries.
    """
    shares, generation = [], 0
    for query, vector in vectors.items():
        request = SearchRequest(collection, query, DEPTH, "vector", principals=None)
        answer = searcher.search(request)
        generation = answer.generation
        found = [(hit.receipt.entry_id, hit.score) for hit in answer.hits]
        with database.begin() as connection:
            nearest = scan_nearest(connection, generation, vector)
        if nearest:
            shares.append(share_of_nearest(found, nearest))
    if not shares:
        return None
    return IndexRecall(generation, len(shares), sum(shares) / len(shares))


def scan_nearest(
    connection: Connection, generation: int, vector: Floats
) -> list[tuple[int, float]]:
    """The ten entries nearest to a vector with their cosines, found without any index."""
    timeout = {"timeout_ms": str(LONGEST_SCAN_MS)}
    connection.execute(load_statement("quality/forbid_index_scans"), timeout)
    statement = load_generation_statement("quality/select_nearest", generation)
    parameters = {"embedding": HalfVector(vector).to_text(), "count": DEPTH}
    return [(row.id, row.cosine) for row in connection.execute(statement, parameters)]


def share_of_nearest(
    found: Sequence[tuple[int, float]], nearest: Sequence[tuple[int, float]]
) -> float:
    """How many of the nearest entries were found, in 0…1; a tie with the last one counts."""
    ids, last = {id_ for id_, _ in nearest}, nearest[-1][1]
    count = sum(id_ in ids or score >= last - TIE for id_, score in found[: len(nearest)])
    return count / len(nearest)
