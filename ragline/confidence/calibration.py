"""The model that turns the evidence of a hit into its confidence.

The evidence of a hit does not depend on the other hits of the answer. The fused score is not
evidence, because it is scaled to 0…1 within each query: even for a query without an answer, the
best hit can have the score 1. Source of the evidence and of the model: benchmarks/README.md,
"Confidence".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp
from typing import Any, Literal, get_args

Evidence = Literal["cosine", "log_keyword_share", "rerank_score"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
# The exponential function overflows above 709. From 500, the confidence is practically 0.
MAX_EXPONENT = 500.0


@dataclass(frozen=True, slots=True)
class SearchKind:
    """A mode of search, with or without reranking. Each kind of search has its own calibration."""

    mode: Literal["hybrid", "vector", "keyword"]
    is_reranked: bool

    @property
    def label(self) -> str:
        """The name of the kind in messages, and its key in the data of a generation."""
        return f"{self.mode}, reranked" if self.is_reranked else self.mode

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The evidence that hits of this kind of search have."""
        of_mode: dict[str, tuple[Evidence, ...]] = {
            "vector": ("cosine",), "keyword": ("log_keyword_share",),
        }  # fmt: skip
        legs = of_mode.get(self.mode, ("cosine", "log_keyword_share"))
        return (*legs, "rerank_score") if self.is_reranked else legs


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic model: one weight for each piece of evidence, and an intercept.

    `ranges` contains the lowest and the highest value of each piece of evidence among the hits to
    which the model was fitted. A value outside its range counts as the nearest value of the range,
    because no judgement says what it means. `reranker` is the reranker whose scores are part of the
    evidence, or None without one. Scores of different rerankers have different scales.
    """

    evidence: tuple[Evidence, ...]
    weights: tuple[float, ...]
    intercept: float
    ranges: tuple[tuple[float, float], ...]
    reranker: str | None = None

    @classmethod
    def read(cls, model: Mapping[str, Any]) -> Calibration:
        """Make a calibration from the values that `to_json` returns."""
        return cls(
            tuple(model["evidence"]),
            tuple(model["weights"]),
            model["intercept"],
            tuple((low, high) for low, high in model["ranges"]),
            model["reranker"],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as values that JSON can contain."""
        return asdict(self)

    def rate(self, values: Sequence[float | None]) -> float | None:
        """Return the confidence of one hit. `values` are in the order of `evidence`.

        The result is None if the hit lacks a value, such as a hit that was not reranked.
        """
        total = self.intercept
        for weight, value, (low, high) in zip(self.weights, values, self.ranges, strict=True):
            if value is None:
                return None
            total += weight * min(max(value, low), high)
        return 1.0 / (1.0 + exp(min(-total, MAX_EXPONENT)))
