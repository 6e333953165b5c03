"""Reranks by late interaction: compares the token vectors of the query and of the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragline.embedder.embedder import Embedder
from ragline.rerankers import LATE_INTERACTION

Tokens = NDArray[np.float32]


class LateInteractionReranker:
    """Scores texts by the token vectors of the embedding model, without a second model.

    Each text needs one forward pass.
    """

    name = LATE_INTERACTION

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the `late_interaction_scores` of the texts. Each score is from -1 to 1."""
        if not texts:
            return []
        query_tokens = self._embedder.embed_query_tokens(query)
        return late_interaction_scores(query_tokens, self._embedder.embed_tokens(texts))


def late_interaction_scores(
    query_tokens: Tokens, candidate_tokens: Sequence[Tokens]
) -> list[float]:
    """Return a score for each candidate, in input order.

    For each token of the query, the largest cosine with a token of the candidate is selected. The
    score is the mean of these cosines. `query_tokens` and each item of `candidate_tokens` are
    (tokens, dimension) float32, with rows of unit length. A score is from -1 to 1 for a query of
    any length. A candidate without tokens has the score 0, like an unrelated candidate.

    Source: Khattab and Zaharia, "ColBERT", SIGIR 2020. ColBERT uses the sum in place of the mean.
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
