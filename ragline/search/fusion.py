"""Fuses the legs of a search: the scores of both legs become one score of each entry.

The fusion depends only on what the legs found and on two settings. So `ragline.tuning` can try many
settings without another search. `candidates` runs the legs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leg:
    """The entries that a leg found, best first, each with its score.

    `best_score` of the keyword leg is the largest BM25 that any text can have for the query, or
    None if the query has no word.
    """

    ids: Ids
    scores: Scores
    best_score: float | None = None

    @classmethod
    def read(cls, ids: bytes, scores: bytes, best_score: float | None = None) -> Leg:
        """Read the values of a leg in a row of `search/select_legs`."""
        return cls(
            np.frombuffer(ids, ">i8").astype(np.int64),
            np.frombuffer(scores, ">f8").astype(np.float64),
            best_score,
        )

    def first(self, count: int) -> Leg:
        """Return the first entries of the leg, as a search with this depth finds them."""
        return Leg(self.ids[:count], self.scores[:count], self.best_score)


EMPTY_LEG = Leg(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True, slots=True)
class Legs:
    """Both legs of one search. A leg that was not run is empty."""

    keyword: Leg
    vector: Leg

    def first(self, count: int) -> Legs:
        """Return the first entries of both legs, as a search with this depth finds them."""
        return Legs(self.keyword.first(count), self.vector.first(count))


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry with its fused score, and its score and rank in each leg that found it.

    `score` is the fused score, and the sum of `vector_part` and `keyword_part`. `rank` is the rank
    by the fused score, from 1. If the request has several queries, these values belong to one of
    them.

    `cosine` and `keyword_share` can be compared between queries. If the vector leg did not find the
    entry, `cosine` is the lowest score of this leg, because the cosine of the entry is at most this
    score. `keyword_share` is BM25 divided by `best_score` of the leg, and 0 if the keyword leg did
    not find the entry. A query word that the index does not contain lowers `keyword_share`. Each of
    the two is None if its leg was not run.
    """

    id: int
    score: float
    vector_score: float | None
    keyword_score: float | None
    vector_rank: int | None
    keyword_rank: int | None
    vector_part: float | None = None
    keyword_part: float | None = None
    rank: int = 0
    cosine: float | None = None
    keyword_share: float | None = None


@dataclass(frozen=True, slots=True)
class _Shares:
    """The scores, ranks and parts of one leg, with one value for each entry of a `Fusion`.

    An entry that the leg did not find has the rank 0.
    """

    scores: Scores
    ranks: Ids
    parts: Scores

    def describe(self, place: int) -> tuple[float | None, int | None, float | None]:
        """Return the score, the rank and the part of the entry with the index `place`.

        All three are None if the leg did not find the entry.
        """
        rank = int(self.ranks[place])
        if rank == 0:
            return None, None, None
        return float(self.scores[place]), rank, float(self.parts[place])


@dataclass(frozen=True, slots=True)
class Fusion:
    """All entries that a leg found, with their fused scores.

    `ids` is ascending, and `scores` has the same order. `order` contains the indexes of `ids`, best
    first.

    `best_keyword_score` is None if the keyword leg was not run. `lowest_cosine` is the lowest score
    of the vector leg, or None if it found nothing.
    """

    ids: Ids
    scores: Scores
    order: NDArray[np.intp]
    keyword: _Shares
    vector: _Shares
    best_keyword_score: float | None = None
    lowest_cosine: float | None = None

    def list_ids(self, count: int) -> list[int]:
        """Return the ids of the first entries, best first."""
        return [int(id_) for id_ in self.ids[self.order[:count]]]

    def list_scores(self, count: int) -> list[float]:
        """Return the fused scores of the first entries, best first."""
        return [float(score) for score in self.scores[self.order[:count]]]

    def list_first(self, count: int) -> list[Candidate]:
        """Return the first candidates, best first."""
        return [
            self._make_candidate(int(place), rank)
            for rank, place in enumerate(self.order[:count], start=1)
        ]

    def list_entries(self, ids: Iterable[int]) -> list[Candidate]:
        """Return the candidates among `ids`, best first, with their ranks among all candidates.

        An id that no leg found is left out.
        """
        wanted = np.isin(self.ids[self.order], list(ids))
        return [
            self._make_candidate(int(self.order[index]), int(index) + 1)
            for index in np.flatnonzero(wanted)
        ]

    def _make_candidate(self, place: int, rank: int) -> Candidate:
        vector_score, vector_rank, vector_part = self.vector.describe(place)
        keyword_score, keyword_rank, keyword_part = self.keyword.describe(place)
        return Candidate(
            int(self.ids[place]), float(self.scores[place]), vector_score, keyword_score,
            vector_rank, keyword_rank, vector_part, keyword_part, rank,
            self.lowest_cosine if vector_score is None else vector_score,
            self._find_keyword_share(keyword_score),
        )  # fmt: skip

    def _find_keyword_share(self, score: float | None) -> float | None:
        best = self.best_keyword_score
        return None if best is None else (score or 0.0) / best if best > 0 else 0.0


def fuse_legs(legs: Legs, vector_weight: float, scale_depth: int) -> Fusion:
    """Fuse what both legs found. A leg whose weight is 0 counts as empty.

    The scores of each leg are scaled to 0…1 between the first and the `scale_depth`-th entry. Then
    they are added with their weights. The weight of the keyword leg is 1 - `vector_weight`. Entries
    with equal scores are ordered by the vector score and then by id. Source: Bruch, Gai and Ingber,
    "An Analysis of Fusion Functions for Hybrid Retrieval", 2023 (convex combination).
    """
    keyword_weight = 1.0 - vector_weight
    keyword = legs.keyword if keyword_weight > 0 else EMPTY_LEG
    vector = legs.vector if vector_weight > 0 else EMPTY_LEG
    ids = np.union1d(keyword.ids, vector.ids)
    by_keyword = _spread(keyword, ids, keyword_weight, scale_depth)
    by_vector = _spread(vector, ids, vector_weight, scale_depth)
    scores = by_vector.parts + by_keyword.parts
    order = np.lexsort((ids, -by_vector.scores, -scores))
    return Fusion(
        ids, scores, order, by_keyword, by_vector,
        best_keyword_score=(legs.keyword.best_score or 0.0) if keyword_weight > 0 else None,
        lowest_cosine=float(vector.scores[-1]) if len(vector.ids) else None,
    )  # fmt: skip


def _spread(leg: Leg, ids: Ids, weight: float, scale_depth: int) -> _Shares:
    """Return the score, the rank and the weighted share of each entry in one leg."""
    scores = np.full(len(ids), -inf)
    ranks = np.zeros(len(ids), np.int64)
    parts = np.zeros(len(ids))
    if len(leg.ids):
        places = np.searchsorted(ids, leg.ids)
        scores[places] = leg.scores
        ranks[places] = np.arange(1, len(leg.ids) + 1)
        parts[places] = _scale(leg.scores, scale_depth) * weight
    return _Shares(scores, ranks, parts)


def _scale(scores: Scores, scale_depth: int) -> Scores:
    """Scale scores that are sorted, best first. If the compared scores are equal, all become 1."""
    high, low = scores[0], scores[: max(scale_depth, 1)][-1]
    if high > low:
        scaled: Scores = np.maximum((scores - low) / (high - low), 0.0)
        return scaled
    return np.ones_like(scores)
