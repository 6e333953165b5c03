"""The report of a tuning, as plain values. `proposal` writes it as YAML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Stage = Literal["search", "rerank", "chunking"]
Decision = Literal["propose", "keep"]


@dataclass(frozen=True, slots=True)
class Gain:
    """The nDCG@10 of the present and of the chosen settings over the same queries.

    With 95 % confidence, the true difference is not below `low`. With 95 % confidence, it is not
    above `high`. `fell` and `rose` count the queries whose score is lower or higher with the chosen
    settings.
    """

    queries: int
    present: float
    chosen: float
    difference: float
    low: float
    high: float
    fell: int
    rose: int


@dataclass(frozen=True, slots=True)
class Change:
    """A setting with its present and its chosen value."""

    setting: str
    present: float
    chosen: float


@dataclass(frozen=True, slots=True)
class StageReport:
    """The result for the settings of one stage: every search, reranking, or chunking.

    `changes` contains the best settings that were found, also if they are not proposed. `validated`
    is the cross-validated gain on the split `tune`. It decides whether the changes are proposed.
    `untouched` is the gain on the queries of `gate` and `holdout` together, and `by_split` the gain
    on each of these splits. Without a change, `validated` and `untouched` are None, and `by_split`
    is empty.
    """

    stage: Stage
    decision: Decision
    changes: tuple[Change, ...]
    validated: Gain | None
    untouched: Gain | None
    by_split: dict[str, Gain]


@dataclass(frozen=True, slots=True)
class TuningReport:
    """The result of a tuning, with everything that is needed to compute it again.

    `tune_queries` and `untouched_queries` count the judged queries of the splits.
    """

    collection: str
    generation: int
    golden_hash: str
    tune_queries: int
    untouched_queries: int
    stages: tuple[StageReport, ...]
    reranker: str
    folds: int
    trials: int
    seed: int
    ragline_version: str
    started_at: datetime
    seconds: float

    @property
    def proposed(self) -> tuple[Change, ...]:
        """The proposed changes of all stages."""
        stages = (one for one in self.stages if one.decision == "propose")
        return tuple(change for one in stages for change in one.changes)
