"""The feedback pass of a search: the query is moved towards the first hits and searched again.

The vector leg searches with the query's vector plus a part of the mean vector of the first hits.
The keyword leg searches with the words of the query and with the heaviest terms of the first hits.
Each leg has its own weight in the settings. `candidates` runs the legs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ragline.search.blending import split_blend
from ragline.search.fusion import Fusion, Legs
from ragline.search.legs import FeedbackTerms, SentLegs, send_keyword_leg, send_vector_leg
from ragline.search.retrieval import FilterPlan, Retrieval, Vector
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.pipelines import pipelined

# The number of first hits whose mean vector the vector leg uses, and of those whose terms the
# keyword leg uses. Source: benchmarks/README.md, "Token codes".
VECTOR_FEEDBACK_HITS = 3
KEYWORD_FEEDBACK_HITS = 5
# The number of added terms.
FEEDBACK_TERMS = 20

# Returns the late interaction score of each entry for the query.
ScoreEntries = Callable[[Sequence[int]], list[float]]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the feedback pass searches for.

    `vector` is the moved vector of the query, or None if the vector leg is not run again. `terms`
    are the added terms of the keyword leg. Without a term, the keyword leg is not run again.
    """

    vector: Vector | None
    terms: FeedbackTerms


def choose_feedback(
    retrieval: Retrieval, fusion: Fusion, score_entries: ScoreEntries | None = None
) -> tuple[int, ...]:
    """Return the ids of the first hits, best first, or () without a feedback pass.

    With `score_entries`, the first candidates are reranked by late interaction before.
    """
    if not has_feedback(retrieval):
        return ()
    settings = retrieval.settings
    count = min(max(VECTOR_FEEDBACK_HITS, KEYWORD_FEEDBACK_HITS), retrieval.limit)
    if score_entries is None or not settings.rerank_before_feedback:
        return tuple(fusion.list_ids(count))
    ids = fusion.list_ids(settings.rerank_candidates)
    fused = fusion.list_scores(settings.rerank_candidates)
    parts = split_blend(fused, score_entries(ids), settings.rerank_weight)
    order = sorted(range(len(ids)), key=lambda place: (-sum(parts[place]), ids[place]))
    return tuple(ids[place] for place in order[:count])


def has_feedback(retrieval: Retrieval) -> bool:
    """Whether the search has a feedback pass."""
    return has_vector_feedback(retrieval) or has_keyword_feedback(retrieval)


def has_vector_feedback(retrieval: Retrieval) -> bool:
    """Whether the feedback pass runs the vector leg."""
    return retrieval.settings.feedback_weight > 0 and retrieval.vector_weight > 0


def has_keyword_feedback(retrieval: Retrieval) -> bool:
    """Whether the feedback pass runs the keyword leg."""
    return retrieval.settings.keyword_feedback_weight > 0 and retrieval.vector_weight < 1


def read_feedback(
    connection: Connection, retrieval: Retrieval, vector: Vector | None, ids: Sequence[int]
) -> Feedback | None:
    """Return what the feedback pass searches for, or None without entries.

    `ids` are the first hits. The moved vector is the query's vector plus `feedback_weight` times
    the mean vector of the first three. The weight of an added term is `keyword_feedback_weight`
    times its mean weight in the first five hits, times its inverse document frequency. Source:
    Rocchio, "Relevance feedback in information retrieval", 1971, without negative examples.
    """
    if not ids:
        return None
    settings = retrieval.settings
    uses_vector = vector is not None and has_vector_feedback(retrieval)
    statement = load_generation_statement("search/select_feedback", retrieval.generation.id)
    parameters = {
        "generation_id": retrieval.generation.id,
        "vector_ids": list(ids[:VECTOR_FEEDBACK_HITS]) if uses_vector else [],
        "keyword_ids": list(ids[:KEYWORD_FEEDBACK_HITS] if has_keyword_feedback(retrieval) else ()),
        "term_count": FEEDBACK_TERMS,
    }
    with pipelined(connection) as pipeline:
        retrieval.deadline.send_limit(pipeline)
        answer = pipeline.send(statement, parameters)
    row = answer.one()
    moved = None
    if uses_vector and vector is not None and row["embedding"] is not None:
        moved = vector + settings.feedback_weight * row["embedding"].to_numpy()
    weight = settings.keyword_feedback_weight
    terms = FeedbackTerms(
        tuple(row["lexemes"]),
        tuple(row["frequencies"]),
        tuple(weight * one for one in row["weights"]),
        1.0 - weight,
    )
    return Feedback(moved, terms)


def repeat_legs(
    connection: Connection,
    retrieval: Retrieval,
    planned: FilterPlan,
    query: str,
    feedback: Feedback,
    legs: Legs,
) -> Legs:
    """Run the feedback pass. A leg that it does not change keeps what it found in `legs`."""
    keyword = vector = None
    with pipelined(connection) as pipeline:
        retrieval.deadline.send_limit(pipeline)
        if feedback.terms.lexemes:
            keyword = send_keyword_leg(pipeline, retrieval, planned, query, feedback.terms)
        if feedback.vector is not None:
            vector = send_vector_leg(pipeline, retrieval, planned, feedback.vector)
    again = SentLegs(keyword, vector).read()
    return Legs(
        legs.keyword if keyword is None else again.keyword,
        legs.vector if vector is None else again.vector,
    )
