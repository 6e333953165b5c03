"""Topics: queries without a good answer, grouped by meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Reason = Literal["zero_results", "abstained", "not_useful", "low_score"]

# Queries with at least this cosine similarity belong to one topic. Source: with the default model,
# two questions with the same meaning have a cosine of 0.5 to 0.8.
MIN_COSINE = 0.5
MAX_NAME_TERMS = 3
MAX_EXAMPLES = 3
MAX_EXAMPLE_CHARS = 200
MAX_TOPICS = 20


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without a good answer, the reason why it counts as one, and its word stems."""

    query: str
    reason: Reason
    stems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """Queries with a similar meaning. `name` consists of the stems that most of them contain."""

    name: str
    queries: int
    reasons: dict[str, int]
    examples: tuple[str, ...]


def group_topics(unanswered: Sequence[Unanswered], vectors: Floats) -> tuple[Topic, ...]:
    """Group queries into topics, largest topic first, at most 20 topics.

    `vectors` is (n, dim), rows of unit length, in the order of the queries. The method is leader
    clustering. A query joins the topic with the nearest mean if the cosine is at least MIN_COSINE.
    Otherwise it starts a new topic. At the end, each query is assigned to the topic with the
    nearest mean. Equal input gives equal topics.
    """
    if not unanswered:
        return ()
    means = _find_leaders(vectors)
    nearest = np.argmax(vectors @ means.T, axis=1)
    topics = [
        _make_topic([unanswered[int(index)] for index in np.flatnonzero(nearest == number)])
        for number in np.unique(nearest)
    ]
    return tuple(sorted(topics, key=lambda topic: (-topic.queries, topic.name))[:MAX_TOPICS])


def _find_leaders(vectors: Floats) -> Floats:
    """Return the mean vectors of the topics: (topics, dim), rows of unit length."""
    sums: list[Floats] = []
    for vector in vectors:
        cosines = [float(vector @ total) / float(np.linalg.norm(total)) for total in sums]
        best = int(np.argmax(cosines)) if cosines else -1
        if best >= 0 and cosines[best] >= MIN_COSINE:
            sums[best] = sums[best] + vector
        else:
            sums.append(vector)
    means = np.stack(sums)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


def _make_topic(members: Sequence[Unanswered]) -> Topic:
    stems = Counter(stem for member in members for stem in set(member.stems))
    common = sorted(stems, key=lambda stem: (-stems[stem], stem))[:MAX_NAME_TERMS]
    examples = dict.fromkeys(member.query[:MAX_EXAMPLE_CHARS] for member in members)
    return Topic(
        name=" ".join(common) or members[0].query[:MAX_EXAMPLE_CHARS],
        queries=len(members),
        reasons=dict(Counter(member.reason for member in members)),
        examples=tuple(examples)[:MAX_EXAMPLES],
    )
