"""Measures the index of a candidate itself: its completeness, its vector index and its speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.checks import MAX_INDEXED_DIMENSION
from ragline.counts import count
from ragline.errors import UnknownGenerationError
from ragline.evaluation.evaluation import ALL_PRINCIPALS
from ragline.gate.paired_evaluation import Side, try_search
from ragline.gate.report import Check, GenerationFacts, Latency
from ragline.lifecycle.candidate_proof import prove_candidate
from ragline.lifecycle.generations import Generation, list_generations
from ragline.model_cache import ModelCache
from ragline.quality.index_recall import MAX_QUERIES, SCAN_TIMEOUT_MS, measure_recall
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

MAX_TIMED_QUERIES = 100
# A smaller difference of the two median times does not count, because it can be chance.
MIN_LATENCY_DIFFERENCE_MS = 10.0


def check_sync_proof(
    database: Database, configuration: Configuration, collection: str, candidate: GenerationFacts
) -> Check:
    """Compare the entries of the candidate with the ledger, for each source of the collection.

    This is the part of a sync proof that does not list the source. It starts no repair.

    Raises:
        UnknownGenerationError: the candidate was refused, abandoned or dropped after it was chosen.
    """
    generation = _find_generation(database, collection, candidate.id)
    proof = prove_candidate(database, configuration, collection, generation)
    name = f"Generation {candidate.id}"
    if proof.faults:
        said = "; ".join(proof.faults)
        return Check("sync_proof", "refused", f"{name} does not agree with the ledger: {said}.")
    changing = ""
    if proof.in_flight:
        changing = f" A sync is indexing the changes of {count(proof.in_flight, 'document')}."
    return Check(
        "sync_proof",
        "passed",
        f"{name} agrees with the ledger: {count(candidate.documents, 'document')}, "
        f"{count(candidate.entries, 'entry', 'entries')}.{changing}",
    )


def _find_generation(database: Database, collection: str, generation_id: int) -> Generation:
    with database.connect() as connection:
        known = list_generations(connection, collection)
    found = next((one for one in known if one.id == generation_id), None)
    if found is None:
        raise UnknownGenerationError(
            f"generation {generation_id} of {collection} was refused, abandoned or dropped while "
            "the gate judged it; judge another one"
        )
    return found


def check_vector_index(settings: CollectionSettings, candidate: GenerationFacts) -> Check | None:
    """Refuse a candidate that needs a vector index and has no valid one. Otherwise return None."""
    is_large = candidate.entries >= settings.hnsw_from_entries
    is_indexable = candidate.dimension <= MAX_INDEXED_DIMENSION
    if candidate.has_vector_index or not is_large or not is_indexable:
        return None
    return Check(
        "index_recall",
        "refused",
        f"Generation {candidate.id} has {candidate.entries:,} entries and no valid vector index. "
        f"The setting hnsw_from_entries asks for an index from {settings.hnsw_from_entries:,} "
        "entries.",
    )


def find_index_recall(
    database: Database,
    configuration: Configuration,
    models: ModelCache,
    settings: CollectionSettings,
    candidate: GenerationFacts,
    queries: Sequence[str],
) -> float | None:
    """Return the index recall of the candidate over the first MAX_QUERIES queries.

    The result is None if the candidate has no vector index, or if there are no queries.
    """
    if not candidate.has_vector_index or not queries:
        return None
    # The feedback pass is off, because it searches with another vector than that of the query.
    search = settings.search.model_copy(update={"feedback_weight": 0.0})
    changed = settings.model_copy(update={"search": search})
    without = configuration.replace_collection(changed)
    searcher = Searcher(database, without, timeout_ms=SCAN_TIMEOUT_MS, models=models)
    distinct = list(dict.fromkeys(queries))[:MAX_QUERIES]
    measured = measure_recall(searcher, settings.name, distinct, candidate.id)
    return None if measured is None else measured.recall_at_10


def check_index_recall(
    settings: CollectionSettings, candidate: GenerationFacts, recall: float | None
) -> Check:
    """Refuse an index recall below `gate.min_index_recall`. The check passes without a recall."""
    wanted = settings.gate.min_index_recall
    if recall is None:
        said = (
            "There is no query to measure the index recall with."
            if candidate.has_vector_index
            else f"Generation {candidate.id} has no vector index, so searches compare all entries."
        )
        return Check("index_recall", "passed", said)
    said = (
        f"The vector index of generation {candidate.id} finds {recall:.1%} of the ten nearest "
        f"entries; at least {wanted:.1%} are required."
    )
    return Check("index_recall", "passed" if recall >= wanted else "refused", said)


def measure_latency(
    collection: str, queries: Sequence[str], live: Side, candidate: Side
) -> Latency | None:
    """Measure the times of hybrid searches, alternately in both generations.

    The first MAX_TIMED_QUERIES queries are used. The first search of each generation is not
    counted, because it loads the model. A query that times out in one generation is left out. The
    result is None if no query is left.
    """
    times: dict[Side, list[float]] = {live: [], candidate: []}
    request = SearchRequest(collection, "", principals=ALL_PRINCIPALS)
    for number, query in enumerate([*queries[:1], *queries[:MAX_TIMED_QUERIES]]):
        asked = replace(request, query=query)
        order = (live, candidate) if number % 2 == 0 else (candidate, live)
        answers = {one: try_search(one, asked) for one in order}
        took = {one: answer.took_ms.total for one, answer in answers.items() if answer}
        if number > 0 and len(took) == len(answers):
            for one in order:
                times[one].append(took[one])
    if not times[live]:
        return None
    before, after = (np.percentile(times[one], (50, 95)) for one in (live, candidate))
    return Latency(len(times[live]), *map(float, before), *map(float, after))


def check_latency(
    settings: CollectionSettings, candidate: GenerationFacts, latency: Latency
) -> Check:
    """Refuse a candidate whose median search takes too long compared with the live generation."""
    live, own = latency.live_p50_ms, latency.candidate_p50_ms
    return Check(
        "latency",
        "refused" if is_too_slow(settings, live, own) else "passed",
        f"The median search takes {own:.1f} ms in generation {candidate.id} and {live:.1f} ms in "
        f"the live generation; at most {settings.gate.max_latency_ratio:g} times as long is "
        "allowed.",
    )


def is_too_slow(settings: CollectionSettings, live_ms: float, candidate_ms: float) -> bool:
    """Return whether the median time of the candidate is too long, compared with `live_ms`."""
    is_beyond = candidate_ms > settings.gate.max_latency_ratio * live_ms
    return is_beyond and candidate_ms - live_ms >= MIN_LATENCY_DIFFERENCE_MS
