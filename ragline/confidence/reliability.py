"""Measures how well confidences agree with judgements.

The expected calibration error groups hits by their confidence. In each group, it compares the mean
confidence with the share of relevant hits. Source: Naeini, Cooper and Hauskrecht, "Obtaining well
calibrated probabilities using Bayesian binning", 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GROUPS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityGroup:
    """The hits whose confidence is in one of GROUPS equal intervals between 0 and 1."""

    hits: int
    mean_confidence: float
    relevant_share: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well the confidences of some hits agree with their judgements.

    `brier` is the Brier score: the mean squared difference between the confidence of a hit and its
    relevance, which is 1 or 0. `expected_calibration_error` is the mean difference between the
    confidence and the share of relevant hits, over `groups`. Both are 0 for perfect confidences.
    `base_brier` is for comparison: the Brier score if each hit had the same confidence, the share
    of relevant hits.
    """

    hits: int
    relevant: int
    expected_calibration_error: float
    brier: float
    base_brier: float
    groups: tuple[ReliabilityGroup, ...]


def measure_reliability(confidences: Floats, is_relevant: Floats) -> Reliability:
    """Measure how well confidences agree with relevance. Both arrays have one value for each hit.

    There must be at least one hit. `is_relevant` is 1 for a relevant hit, and otherwise 0.
    """
    numbers = np.minimum((confidences * GROUPS).astype(int), GROUPS - 1)
    groups = []
    for number in range(GROUPS):
        inside = numbers == number
        if inside.any():
            groups.append(
                ReliabilityGroup(
                    int(inside.sum()),
                    float(confidences[inside].mean()),
                    float(is_relevant[inside].mean()),
                )
            )
    error = sum(one.hits * abs(one.mean_confidence - one.relevant_share) for one in groups)
    share = float(is_relevant.mean())
    return Reliability(
        hits=len(confidences),
        relevant=int(is_relevant.sum()),
        expected_calibration_error=error / len(confidences),
        brier=float(np.square(confidences - is_relevant).mean()),
        base_brier=share * (1 - share),
        groups=tuple(groups),
    )
