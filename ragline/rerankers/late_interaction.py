"""Reranking by late interaction: the token vectors of query and text are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragline.embedder.embedder import Embedder
from ragline.rerankers import LATE_INTERACTION

Tokens = NDArray[np.float32]


class LateInteractionReranker:
    """Scores texts by the token vectors of the embedding model, without a second model.

    Each text costs one forward pass.
    """

    name = LATE_INTERACTION

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """The `late_interaction_scores` of the texts, each in -1…1."""
        if not texts:
            return []
        query_tokens = self._embedder.embed_query_tokens(query)
        return late_interaction_scores(query_tokens, self._embedder.embed_tokens(texts))


def late_interaction_scores(
    query_tokens: Tokens, candidate_tokens: Sequence[Tokens]
) -> list[float]:
    """For each candidate, the mean over the query's tokens of the best cosine among its tokens.

    Rows are of unit length: (tokens, dimension). Scores are in -1…1 for a query of any length; a
    candidate without tokens has the score 0, as if it were unrelated.

    Source: Khattab and Zaharia, "ColBERT", SIGIR 2020, with a mean in place of the sum.
    """
    filled = [tokens for tokens in candidate_tokens if len(tokens)]
    scores = np.zeros(len(candidate_tokens), dtype=np.float32)
    if len(query_tokens) == 0 or not filled:
        return [float(score) for score in scores]
    starts = np.cumsum([0, *(len(tokens) for tokens in filled)])[:-1]
    cosines = query_tokens @ np.concatenate(filled).T
    best = np.maximum.reduceat(cosines, starts, axis=1)
    scores[[len(tokens) > 0 for tokens in candidate_tokens]] = best.mean(axis=0)
    return [float(score) for score in scores]
