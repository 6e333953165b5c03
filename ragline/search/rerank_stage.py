"""The rerank stage of a search: a reranker scores the first candidates, and they are sorted again.

The new order follows a blend of the fused score and the reranker's score. The rerankers are in
`ragline.rerankers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragline.configuration import CollectionSettings
from ragline.rerankers.reranker import Reranker, score_texts
from ragline.search.blending import split_blend
from ragline.search.deadline import Deadline
from ragline.search.entries import Entry
from ragline.search.messages import SearchRequest
from ragline.search.token_scores import TokenScores


def rerank_entries(
    reranker: Reranker,
    request: SearchRequest,
    settings: CollectionSettings,
    entries: list[Entry],
    deadline: Deadline,
) -> list[Entry]:
    """Sort the first `rerank_candidates` entries by a blend of fused score and reranker's score.

    The other entries follow in their previous order, with lower scores. With several queries, the
    reranker's score of an entry is its best score.

    Raises:
        RerankingError: the reranker failed.
        SearchTimeoutError: the deadline has passed.
    """
    first = entries[: settings.search.rerank_candidates]
    scores = score_entries(reranker, request.queries, first, deadline)
    return blend_entries(entries, scores, settings.search.rerank_weight)


def rerank_by_tokens(
    tokens: TokenScores, settings: CollectionSettings, entries: list[Entry], deadline: Deadline
) -> list[Entry]:
    """Sort the first entries as `rerank_entries` does, by late interaction over token codes."""
    first = entries[: settings.search.rerank_candidates]
    scores = tokens.score([entry.row["id"] for entry in first], deadline)
    return blend_entries(entries, scores, settings.search.rerank_weight)


def blend_entries(entries: list[Entry], scores: Sequence[float], weight: float) -> list[Entry]:
    """Sort the first entries by a blend of their fused scores and the reranker's `scores`.

    `scores` has one score for each of these entries, in their order.

    The other entries follow in their previous order, with lower scores.
    """
    first, rest = entries[: len(scores)], entries[len(scores) :]
    if not first:
        return entries
    parts = split_blend([entry.score for entry in first], scores, weight)
    reranked = sorted(
        (
            replace(
                entry,
                score=fused_part + rerank_part,
                rerank_score=score,
                fused_part=fused_part,
                rerank_part=rerank_part,
            )
            for entry, score, (fused_part, rerank_part) in zip(first, scores, parts, strict=True)
        ),
        key=_sort_key,
    )
    lowest = reranked[-1].score
    behind = [replace(entry, score=lowest - rank) for rank, entry in enumerate(rest, start=1)]
    return reranked + behind


def score_entries(
    reranker: Reranker, queries: Sequence[str], entries: Sequence[Entry], deadline: Deadline
) -> list[float]:
    """Return the reranker's score of each entry, for its best query.

    Raises:
        RerankingError: the reranker failed.
        SearchTimeoutError: the deadline has passed.
    """
    if not entries:
        return []
    texts = [entry.row["header"] + entry.row["text"] for entry in entries]
    scores_by_query = []
    for query in queries:
        deadline.remaining_ms()
        scores_by_query.append(score_texts(reranker, query, texts))
    return [max(of_text) for of_text in zip(*scores_by_query, strict=True)]


def _sort_key(entry: Entry) -> tuple[float, int]:
    """Return the sort key of an entry: by descending score, then by id."""
    return -entry.score, entry.row["id"]
