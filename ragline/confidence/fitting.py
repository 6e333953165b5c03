"""Fits a calibration to hits whose relevance is known, and measures it on other queries.

The hits of one query are similar. So the measurement divides the queries, and not the hits: each
hit gets its confidence from a model that was fitted without any hit of the same query.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragline.confidence.calibration import MAX_EXPONENT, Calibration, Evidence
from ragline.confidence.reliability import Floats, Reliability, measure_reliability

# A calibration needs at least this number of queries, of relevant hits and of hits that are not
# relevant.
# Source: benchmarks/README.md, "Confidence".
MIN_QUERIES = 20
MIN_RELEVANT = 20
MIN_OTHER = 20
FOLDS = 5
# The inverse strength of the regularisation. Before the fit, each piece of evidence is scaled to
# the standard deviation 1.
INVERSE_PENALTY = 1.0


@dataclass(frozen=True, slots=True)
class JudgedHits:
    """Hits with their evidence and their relevance. Each array has one item or row for each hit.

    `values` has one column for each piece of `evidence`. `is_relevant` is 1 for a relevant hit, and
    otherwise 0. `queries` contains the number of the hit's query.
    """

    evidence: tuple[Evidence, ...]
    values: Floats
    is_relevant: Floats
    queries: NDArray[np.int64]

    def describe_shortage(self) -> str | None:
        """Return what is missing for a calibration. None if there are enough hits."""
        relevant = int(self.is_relevant.sum())
        found = (
            (len(np.unique(self.queries)), MIN_QUERIES, "queries with hits"),
            (relevant, MIN_RELEVANT, "relevant hits"),
            (len(self.is_relevant) - relevant, MIN_OTHER, "hits that are not relevant"),
        )
        missing = [
            f"{count:,} {what}, and at least {least} are needed"
            for count, least, what in found
            if count < least
        ]
        return "; ".join(missing) or None

    def choose(self, rows: NDArray[np.bool_]) -> JudgedHits:
        """Return the hits for which `rows` is true."""
        return JudgedHits(
            self.evidence, self.values[rows], self.is_relevant[rows], self.queries[rows]
        )


def fit_calibration(hits: JudgedHits) -> Calibration:
    """Fit a logistic model in which more evidence never lowers the confidence.

    If all hits have the same relevance, the confidence is a constant.
    """
    count, relevant = len(hits.is_relevant), hits.is_relevant.sum()
    if relevant in (0, count):
        # One relevant hit and one irrelevant hit are added, because the log-odds of the shares 0
        # and 1 are infinite.
        odds = (relevant + 1) / (count - relevant + 1)
        return _make_calibration(hits, np.zeros(len(hits.evidence)), float(np.log(odds)))
    middle = hits.values.mean(axis=0)
    spread = np.where(np.ptp(hits.values, axis=0) > 0, hits.values.std(axis=0), 1.0)
    scaled_weights, intercept = _fit_weights((hits.values - middle) / spread, hits.is_relevant)
    weights = scaled_weights / spread
    return _make_calibration(hits, weights, intercept - float((weights * middle).sum()))


def _make_calibration(hits: JudgedHits, weights: Floats, intercept: float) -> Calibration:
    ranges = zip(hits.values.min(axis=0), hits.values.max(axis=0), strict=True)
    return Calibration(
        hits.evidence,
        tuple(map(float, weights)),
        intercept,
        tuple((float(low), float(high)) for low, high in ranges),
    )


def _fit_weights(values: Floats, is_relevant: Floats) -> tuple[Floats, float]:
    """Return weights of at least 0, and the intercept.

    A negative weight has no meaning: it comes from chance, or from other evidence with the same
    information. While a weight is negative, the evidence with the lowest weight is left out, and
    the model is fitted again. The weight of evidence that was left out is 0.
    """
    # sklearn takes 1 s to import, and only the commands that fit a model need it.
    from sklearn.linear_model import LogisticRegression

    used = np.ones(values.shape[1], dtype=bool)
    weights = np.zeros(values.shape[1])
    while used.any():
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1_000)
        model.fit(values[:, used], is_relevant)
        weights[:] = 0
        weights[used] = model.coef_[0]
        if weights.min() >= 0:
            return weights, float(model.intercept_[0])
        used[weights.argmin()] = False
    share = float(is_relevant.mean())
    return weights * 0, float(np.log(share / (1 - share)))


def rate_hits(calibration: Calibration, values: Floats) -> Floats:
    """Return the confidence of each row of evidence."""
    lows, highs = np.array(calibration.ranges).T
    limited = np.clip(values, lows, highs)
    exponents = -(limited @ np.array(calibration.weights) + calibration.intercept)
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(exponents, MAX_EXPONENT))), dtype=np.float64)


def cross_validate(hits: JudgedHits) -> Reliability:
    """Measure the confidences of hits with models that were fitted without the hits' queries.

    The queries are divided into FOLDS parts by their number, so a second call gives equal figures.
    """
    confidences = np.empty(len(hits.is_relevant))
    for fold in range(FOLDS):
        left_out = hits.queries % FOLDS == fold
        if left_out.any():
            known = hits.choose(~left_out)
            confidences[left_out] = rate_hits(fit_calibration(known), hits.values[left_out])
    return measure_reliability(confidences, hits.is_relevant)
