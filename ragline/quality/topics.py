"""What people asked for and did not find, put together by meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Reason = Literal["zero_results", "not_useful", "low_score"]

# Two questions about one thing in other words have a cosine of 0.5 to 0.8 with the default model.
LOWEST_COSINE = 0.5
NAME_TERMS = 3
EXAMPLES = 3
EXAMPLE_CHARS = 200
MOST_TOPICS = 20


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without a good answer, why it is held for one, and the stems of its words."""

    query: str
    reason: Reason
    stems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """Queries about one thing, named by the stems that most of them have."""

    name: str
    queries: int
    reasons: dict[str, int]
    examples: tuple[str, ...]


def group_topics(unanswered: Sequence[Unanswered], vectors: Floats) -> tuple[Topic, ...]:
    """The largest topics first, at most 20; (n, dim) unit rows in the order of the queries.

    Leader clustering: a query joins the nearest topic whose mean is within the cosine, else it
    begins one; then each joins the nearest of all. Equal input gives equal topics.
    """
    if not unanswered:
        return ()
    means = _find_leaders(vectors)
    nearest = np.argmax(vectors @ means.T, axis=1)
    topics = [
        _make_topic([unanswered[int(index)] for index in np.flatnonzero(nearest == number)])
        for number in np.unique(nearest)
    ]
    return tuple(sorted(topics, key=lambda topic: (-topic.queries, topic.name))[:MOST_TOPICS])


def _find_leaders(vectors: Floats) -> Floats:
    """The mean directions of the topics, (topics, dim), unit rows."""
    sums: list[Floats] = []
    for vector in vectors:
        cosines = [float(vector @ total) / float(np.linalg.norm(total)) for total in sums]
        best = int(np.argmax(cosines)) if cosines else -1
        if best >= 0 and cosines[best] >= LOWEST_COSINE:
            sums[best] = sums[best] + vector
        else:
            sums.append(vector)
    means = np.stack(sums)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


def _make_topic(members: Sequence[Unanswered]) -> Topic:
    stems = Counter(stem for member in members for stem in set(member.stems))
    common = sorted(stems, key=lambda stem: (-stems[stem], stem))[:NAME_TERMS]
    examples = dict.fromkeys(member.query[:EXAMPLE_CHARS] for member in members)
    return Topic(
        name=" ".join(common) or members[0].query[:EXAMPLE_CHARS],
        queries=len(members),
        reasons=dict(Counter(member.reason for member in members)),
        examples=tuple(examples)[:EXAMPLES],
    )
