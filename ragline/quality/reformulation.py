"""How often people ask again in other words: a sign that the first answer was none.

A search counts as reformulated when the same caller asks the same collection a similar but
different query within a minute. Callers are told apart by the hash in the record (`client`, with
the tenant); a service that asks for many people sends the header X-Client-ID, else its people are
one caller and the figure is an upper bound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WITHIN = timedelta(seconds=60)
# Of the tokens or of the character trigrams of both queries together, what both have.
LOWEST_SIMILARITY = 0.3
# A caller that asks more than this within a minute is a program.
MOST_FOLLOWERS = 20

_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """A query, when it was asked, and by which caller."""

    client: str
    requested_at: datetime
    query: str


def measure_reformulation(asked: Sequence[AskedQuery]) -> float | None:
    """The share of searches that were reformulated; None for no search.

    `asked` is in order of caller and time.
    """
    if not asked:
        return None
    features = [_Features.of(item.query) for item in asked]
    reformulated = sum(_is_reformulated(asked, features, index) for index in range(len(asked)))
    return reformulated / len(asked)


def _is_reformulated(
    asked: Sequence[AskedQuery], features: Sequence[_Features], index: int
) -> bool:
    first = asked[index]
    for later in range(index + 1, min(index + 1 + MOST_FOLLOWERS, len(asked))):
        following = asked[later]
        if following.client != first.client or following.requested_at - first.requested_at > WITHIN:
            return False
        if features[index].is_similar_but_different(features[later]):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Features:
    """What two queries are compared by, without regard to case, order and white space."""

    words: str
    tokens: frozenset[str]
    trigrams: frozenset[str]

    @classmethod
    def of(cls, query: str) -> _Features:
        tokens = _TOKEN.findall(query.casefold())
        words = " ".join(tokens)
        padded = f"  {words} "
        trigrams = frozenset(padded[i : i + 3] for i in range(len(padded) - 2))
        return cls(words, frozenset(tokens), trigrams)

    def is_similar_but_different(self, other: _Features) -> bool:
        if self.words == other.words:
            return False
        similarity = max(jaccard(self.tokens, other.tokens), jaccard(self.trigrams, other.trigrams))
        return similarity >= LOWEST_SIMILARITY


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """What two sets share, in 0…1; 0 for two empty ones."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0
