"""Compares a share of searches in two groups, such as the searches that found nothing.

Searches are not independent: one caller repeats a failing query, and a Sunday has other questions
than a Monday. So the variance of a share is multiplied by a design effect. The design effect is
measured on clusters: searches of one client, one hour or one day. Source: Kish, "Survey Sampling",
1965, and Deng, Knoblich and Lu, "Applying the delta method in metric analytics", 2018.

The watch repeats its comparison every minute. With an ordinary p-value, it would find a difference
by chance sooner or later. So the p-value is that of a mixture sequential probability ratio test. It
is valid for each of the repeated comparisons. Source: Johari, Pekelis and Walsh, "Always valid
inference", 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
# With fewer clusters, the design effect cannot be measured.
MIN_CLUSTERS = 5
# The exponential function of a larger exponent is no float. The p-value is then 0.
MAX_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class Count:
    """The number of searches in a cluster, and how many of them have the event."""

    searches: int
    events: int


@dataclass(frozen=True, slots=True)
class ShareComparison:
    """A share of two groups. `difference` is the new share minus the reference share.

    With 95 % confidence, the true difference is from `low` to `high`. `p_value` is the probability
    that any of the repeated comparisons finds so strong evidence for a worse share although nothing
    has changed.
    """

    reference_share: float
    new_share: float
    reference_searches: int
    new_searches: int
    difference: float
    low: float
    high: float
    p_value: float
    design_effect: float


def compare_shares(
    reference: Sequence[Count],
    new: Sequence[Count],
    *,
    expected_change: float,
    is_rise_worse: bool,
    design_effect: float = 1.0,
) -> ShareComparison | None:
    """Compare the share of searches with an event. Returns None if a group has no searches.

    `expected_change` is the size of a change that matters. The test finds such a change soonest.
    """
    before, after = _add(reference), _add(new)
    if not before.searches or not after.searches or expected_change <= 0:
        return None
    first, second = before.events / before.searches, after.events / after.searches
    low, high = _find_interval(before, after, design_effect)
    worse = second - first if is_rise_worse else first - second
    variance = _find_null_variance(before, after) * design_effect
    return ShareComparison(
        reference_share=first,
        new_share=second,
        reference_searches=before.searches,
        new_searches=after.searches,
        difference=second - first,
        low=low,
        high=high,
        p_value=find_sequential_p_value(worse, variance, expected_change),
        design_effect=design_effect,
    )


def find_design_effect(clusters: Sequence[Count]) -> float:
    """Return the factor by which the variance of the share is larger than for independent searches.

    The result is at least 1. With fewer than MIN_CLUSTERS clusters, or without a variance, it is 1.
    """
    total = _add(clusters)
    share = total.events / total.searches if total.searches else 0.0
    independent = total.searches * share * (1 - share)
    if len(clusters) < MIN_CLUSTERS or not independent:
        return 1.0
    residuals = sum((one.events - share * one.searches) ** 2 for one in clusters)
    return max(1.0, len(clusters) / (len(clusters) - 1) * residuals / independent)


def find_sequential_p_value(worse: float, variance: float, expected_change: float) -> float:
    """Return the p-value of a worse share. It is valid for each of repeated comparisons.

    `worse` is the difference of the shares, positive if the new share is worse. `variance` is the
    variance of the difference. The likelihood ratio is mixed over normally distributed changes with
    the standard deviation `expected_change`.
    """
    if worse <= 0 or variance <= 0:
        return 1.0
    mixed = variance + expected_change**2
    exponent = expected_change**2 * worse**2 / (2 * variance * mixed)
    if exponent > MAX_EXPONENT:
        return 0.0
    return min(1.0, sqrt(mixed / variance) * exp(-exponent))


def _add(counts: Sequence[Count]) -> Count:
    return Count(sum(one.searches for one in counts), sum(one.events for one in counts))


def _find_null_variance(before: Count, after: Count) -> float:
    """Return the variance of the difference if both true shares are equal.

    Two events and two other searches are added, so that a share of 0 has a variance. Source:
    Agresti and Coull, "Approximate is better than exact", 1998.
    """
    searches = before.searches + after.searches
    share = (before.events + after.events + 2) / (searches + 4)
    return share * (1 - share) * (1 / before.searches + 1 / after.searches)


def _find_interval(before: Count, after: Count, design_effect: float) -> tuple[float, float]:
    """Return the interval of the difference by the method "plus four" of Agresti and Caffo."""
    first, second = ((one.events + 1) / (one.searches + 2) for one in (before, after))
    variance = first * (1 - first) / (before.searches + 2)
    variance += second * (1 - second) / (after.searches + 2)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(design_effect * variance)
    return max(-1.0, second - first - half), min(1.0, second - first + half)
