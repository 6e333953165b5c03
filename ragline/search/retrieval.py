"""A retrieval: how candidates are retrieved for the queries of one request.

`retrieval_plan` makes it from a request, and `candidates` executes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragline.configuration import SearchSettings
from ragline.search.deadline import Deadline
from ragline.search.filters import Condition
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Mode, Plan
from ragline.search.token_scores import TokenScores

DEFAULT_TIMEOUT_MS = 10_000
NO_CONDITION = Condition("true", {})

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How candidates are retrieved for the queries of one request.

    `vectors` has one vector for each query, or None in mode `keyword`. `limit` is the number of
    candidates. `min_depth` is the number of candidates of each leg, if the settings ask for fewer.
    None means `limit`. `ef_search` is the setting of that name. `condition` is the SQL condition of
    the filter and of `max_age`. `tokens` scores candidates by late interaction, or is None if the
    search does not use it.
    """

    generation: LiveGeneration
    settings: SearchSettings
    mode: Mode
    queries: tuple[str, ...]
    vectors: tuple[Vector | None, ...]
    limit: int
    ef_search: int
    principals: tuple[str, ...] | None = ()
    condition: Condition | None = None
    exact: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(DEFAULT_TIMEOUT_MS))
    min_depth: int | None = None
    tokens: TokenScores | None = None

    @property
    def depth(self) -> int:
        """The maximum number of candidates that each leg returns."""
        return max(self.settings.candidates, self.min_depth or self.limit)

    @property
    def vector_weight(self) -> float:
        """The weight of the vector leg, from 0 to 1.

        In mode `hybrid`, it is the weight in the settings. In mode `vector`, it is 1. In mode
        `keyword`, it is 0.
        """
        weights = {"hybrid": self.settings.vector_weight, "vector": 1.0, "keyword": 0.0}
        return weights[self.mode]


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """A plan, and the SQL condition with which it is executed."""

    plan: Plan
    condition: Condition


def list_principals(principals: Sequence[str] | None) -> list[str] | None:
    """Return principals as a parameter of a statement. None means that every document is found."""
    return None if principals is None else list(principals)
