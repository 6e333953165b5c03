"""Measures how often a client repeats a search in other words.

A repetition is a sign that the first answer was not useful. A search counts as reformulated if the
same client searches the same collection again within a minute, and the second query is similar but
not equal. The tenant and the hash `client` in the record of a search identify the client. A program
that searches for several users should send the header X-Client-ID. Otherwise its users count as one
client, and the figure is an upper bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property

MAX_INTERVAL = timedelta(seconds=60)
# Two queries are similar if the Jaccard similarity of their tokens, or of their character trigrams,
# is at least this value.
MIN_SIMILARITY = 0.3
# A search is compared with at most this number of later searches. A client that makes more searches
# within a minute is probably a program.
MAX_FOLLOWING = 20

_TOKEN = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """A recorded query with its time and its client."""

    client: str
    requested_at: datetime
    query: str


def measure_reformulation(queries: Sequence[RecordedQuery]) -> float | None:
    """Return the share of searches that were reformulated, or None if there are no searches.

    `queries` must be in order of client and time.
    """
    if not queries:
        return None
    return len(find_reformulations(queries)) / len(queries)


def find_reformulations(
    queries: Sequence[RecordedQuery],
) -> list[tuple[RecordedQuery, RecordedQuery]]:
    """Return pairs: a search that was reformulated, and the first search that reformulates it.

    `queries` are in order of client and time.
    """
    # Only queries that another one follows within the interval need features.
    describe = cache(_Features)
    later = (_find_reformulation(queries, describe, index) for index in range(len(queries)))
    return [(first, other) for first, other in zip(queries, later, strict=True) if other]


def _find_reformulation(
    queries: Sequence[RecordedQuery], describe: Callable[[str], _Features], index: int
) -> RecordedQuery | None:
    first = queries[index]
    for later in range(index + 1, min(index + 1 + MAX_FOLLOWING, len(queries))):
        following = queries[later]
        if (
            following.client != first.client
            or following.requested_at - first.requested_at > MAX_INTERVAL
        ):
            return None
        if describe(first.query).is_similar_but_different(describe(following.query)):
            return following
    return None


class _Features:
    """The parts of a query that are compared. Case and white space do not matter."""

    def __init__(self, query: str) -> None:
        tokens = _TOKEN.findall(query.casefold())
        self.words = " ".join(tokens)
        self.tokens = frozenset(tokens)

    @cached_property
    def trigrams(self) -> frozenset[str]:
        padded = f"  {self.words} "
        return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))

    def is_similar_but_different(self, other: _Features) -> bool:
        if self.words == other.words:
            return False
        # Most similar queries have equal tokens, and then the trigrams are not needed.
        return (
            jaccard(self.tokens, other.tokens) >= MIN_SIMILARITY
            or jaccard(self.trigrams, other.trigrams) >= MIN_SIMILARITY
        )


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets, from 0 to 1. It is 0 for two empty sets."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0
