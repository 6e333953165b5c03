"""Compares how often two generations answer a query with confidence, and how often they are silent.

A search answers a query if one of its first ten hits is confident. Otherwise it is silent. It
should answer the queries that have a relevant document, and be silent for the queries without an
answer. The gate compares two shares: the answered queries of the first kind, and the silent queries
of the second kind. Queries to which a calibration was fitted are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ragline.confidence.stored_calibrations import FittedCalibration
from ragline.configuration import CollectionSettings
from ragline.gate.checks import describe_p_value
from ragline.gate.comparison import RESAMPLES, Values, compare_values, decide_family
from ragline.gate.report import Check, Comparison
from ragline.golden_set import GoldenSet
from ragline.search.messages import Mode

# The kind of search that the gate compares.
MODE: Mode = "hybrid"
ANSWERED, SILENT = "answered", "silent"
# If both generations are equally good, the comparison of the two shares refuses the candidate with
# at most this probability. It is in addition to `comparison.ERROR_RATE`.
ERROR_RATE = 0.005
# A candidate that is silent for no query is refused if the live generation is silent for at least
# this number of queries. The probability that this happens to an equally good candidate is below
# ERROR_RATE: the maximum over λ of exp(-λ) · P(Poisson(λ) ≥ 6) is 0.0044.
MIN_SILENT = 6

# The highest confidence among the first hits, by query id. It is 0 if there is no hit.
Confidences = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class AbstentionQueries:
    """The ids of the queries that are compared: those with an answer, and those without one."""

    answerable: tuple[str, ...]
    unanswerable: tuple[str, ...]


def choose_queries(golden: GoldenSet, fitted_to: Iterable[str]) -> AbstentionQueries:
    """Return the queries of a golden set to which no calibration was fitted."""
    known = set(fitted_to)
    answerable = (
        key for key, grades in golden.judgements.items() if max(grades.values(), default=0) > 0
    )
    return AbstentionQueries(
        tuple(key for key in answerable if key not in known),
        tuple(key for key in golden.unanswerable if key not in known),
    )


def find_obstacle(
    queries: AbstentionQueries, calibrations: Sequence[Sequence[FittedCalibration]]
) -> Check | None:
    """Return a check that passes and says why a comparison is impossible. None if it is possible.

    `calibrations` contains the calibrations of each of the two generations.
    """
    if not queries.unanswerable or not queries.answerable:
        lacking = "without an answer" if queries.answerable else "with an answer"
        return _pass_without_comparison(
            f"every query {lacking} in the golden set was used to fit the confidence, or there is "
            "none. So the gate cannot measure whether searches stay silent."
        )
    for fitted in calibrations:
        for one in fitted:
            if one.kind.mode == MODE and not one.kind.is_reranked and one.calibration is None:
                return _pass_without_comparison(f"hits have no confidence, because {one.reason}.")
    return None


def compare_abstention(
    queries: AbstentionQueries,
    live: Confidences,
    candidate: Confidences,
    settings: CollectionSettings,
    seed: int,
    *,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare the answered share of answerable queries, then the silent share of all others."""
    least, margin = settings.search.confident_from, settings.gate.abstention_margin

    def find_values(keys: Sequence[str], found: Confidences, *, is_silent: bool) -> Values:
        return np.array([(found.get(key, 0.0) >= least) != is_silent for key in keys], dtype=float)

    parts = ((ANSWERED, queries.answerable, False), (SILENT, queries.unanswerable, True))
    compared = [
        compare_values(
            name,
            find_values(keys, live, is_silent=is_silent),
            find_values(keys, candidate, is_silent=is_silent),
            seed,
            margin=margin,
            resamples=resamples,
        )
        for name, keys, is_silent in parts
    ]
    return decide_family(compared, ERROR_RATE)


def check_abstention(comparisons: Sequence[Comparison], threshold: float) -> Check:
    """Make one check from the two comparisons that `compare_abstention` returns."""
    answered, silent = comparisons
    said = (
        f"With hits of a confidence of at least {threshold:g}, the live generation answers "
        f"{answered.live:.1%} of {answered.queries:,} queries with an answer, and the candidate "
        f"{answered.candidate:.1%}. The live generation is silent for {silent.live:.1%} of "
        f"{silent.queries:,} queries without an answer, and the candidate for "
        f"{silent.candidate:.1%}."
    )
    reasons = [_describe_fall(one) for one in comparisons if one.is_refused]
    if silent.candidate == 0 and silent.live * silent.queries >= MIN_SILENT:
        reasons.append("For every query without an answer, the candidate returns a confident hit.")
    if reasons:
        return Check("abstention", "refused", " ".join([said, *reasons]))
    return Check("abstention", "passed", said)


def _describe_fall(comparison: Comparison) -> str:
    name = "answers" if comparison.measure == ANSWERED else "silence"
    return (
        f"The share of {name} falls by more than the margin {comparison.margin:g}, and chance does "
        f"not explain it ({describe_p_value(comparison, 4)})."
    )


def _pass_without_comparison(reason: str) -> Check:
    return Check("abstention", "passed", f"Not decided: {reason}")
