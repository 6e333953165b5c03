"""Compares a measure of two generations query by query, and decides which falls are refused.

A measure falls if its mean is lower in the candidate than in the live generation. The fall is
refused if two conditions hold: it is larger than the margin, and chance does not explain it. The
probability of chance comes from a paired permutation test that flips the signs of the differences.
The report also shows an interval from a paired bootstrap over the queries. The bootstrap does not
decide, because it refuses too often if few queries differ. Source:
benchmarks/gate_calibration.py, and Smucker, Allan and Carterette, "A comparison of statistical
significance tests for information retrieval evaluation", 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ragline.gate.report import Comparison

Values = NDArray[np.float64]

# The measures and slices together refuse a candidate that is as good as the live generation with at
# most this probability. One half is for the measures of all queries, and one half for the slices.
# With 0.02, the probability that they refuse more than five of a hundred such candidates is less
# than 2 %. Abstention (`abstention.ERROR_RATE`) and shadow reads (`shadow_checks.ERROR_LEVEL`) add
# at most 0.005 each.
ERROR_RATE = 0.02
FAMILY_ERROR_RATE = ERROR_RATE / 2
POWER = 0.8
# The confidence level of the interval. So each end is a one-sided limit with a confidence of 95 %.
INTERVAL = 0.9
RESAMPLES = 9_999
# The resampling is done in batches of this number of rows, so that RESAMPLES needs no more memory.
BATCH = 1_000


def compare_values(
    measure: str,
    live: Values,
    candidate: Values,
    seed: int,
    *,
    margin: float | None = None,
    slice_name: str | None = None,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare the values of at least one query. Both arrays have the queries in equal order."""
    differences = candidate - live
    low, high = _find_interval(differences, seed, resamples)
    return Comparison(
        measure=measure,
        queries=len(differences),
        live=float(live.mean()),
        candidate=float(candidate.mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        standard_error=_find_standard_error(differences),
        p_value=_find_p_value(differences, seed, resamples),
        fell=int((differences < 0).sum()),
        rose=int((differences > 0).sum()),
        slice=slice_name,
        margin=margin,
    )


def decide_family(
    comparisons: Sequence[Comparison], error_rate: float = FAMILY_ERROR_RATE
) -> list[Comparison]:
    """Decide comparisons together: set their adjusted p-values, and whether they are refused.

    If all true differences are zero, the probability that any comparison is refused is at most
    `error_rate`. Comparisons without a margin are not decided. Source: Holm, "A simple sequentially
    rejective multiple test procedure", 1979.
    """
    tested = [one for one in comparisons if one.margin is not None]
    adjusted = iter(adjust_p_values([one.p_value for one in tested]))
    decided = []
    for one in comparisons:
        if one.margin is None:
            decided.append(one)
            continue
        p_value, level = next(adjusted), error_rate / len(tested)
        decided.append(
            replace(
                one,
                adjusted_p_value=p_value,
                compared=len(tested),
                detectable_fall=find_detectable_fall(one.standard_error, one.margin, level),
                is_refused=p_value <= error_rate and one.difference < -one.margin,
            )
        )
    return decided


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by the method of Holm, in the order of `p_values`."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def find_detectable_fall(error: float, margin: float, level: float) -> float:
    """Return the smallest true fall that is refused with a probability of POWER.

    `error` is the standard error of the mean difference, and `level` the level of the test. The
    formula is the normal approximation: max(margin, z(level) · error) + z(POWER) · error.
    """
    return max(margin, _quantile(level) * error) + _quantile(1 - POWER) * error


def count_needed_queries(comparison: Comparison, wanted_fall: float, level: float) -> int | None:
    """Return how many queries can detect a fall of `wanted_fall` with a probability of POWER.

    This assumes that the differences vary as much as in `comparison`. The result is None if the
    margin is at least as large as `wanted_fall`, because then no number of queries is enough.
    """
    margin = comparison.margin or 0.0
    if wanted_fall <= margin:
        return None
    power = _quantile(1 - POWER)
    wanted = min((wanted_fall - margin) / power, wanted_fall / (_quantile(level) + power))
    return ceil(comparison.queries * (comparison.standard_error / wanted) ** 2)


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(1 - level)


def _find_standard_error(differences: Values) -> float:
    """Return the standard error of the mean difference. It is 0 for one query."""
    if len(differences) < 2:
        return 0.0
    return float(differences.std(ddof=1)) / sqrt(len(differences))


def _find_interval(differences: Values, seed: int, resamples: int) -> tuple[float, float]:
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return mean, mean
    # scipy takes 0.7 s to import, and only the gate needs it.
    from scipy import stats

    interval = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=resamples,
        batch=BATCH,
        confidence_level=INTERVAL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _find_p_value(differences: Values, seed: int, resamples: int) -> float:
    """Return the probability that chance explains the fall.

    It is the probability of a sum at most as large as the sum of `differences`, if each difference
    is positive or negative with probability ½.
    """
    changed = differences[differences != 0]
    if len(changed) < 2:
        return 0.5 if changed.sum() < 0 else 1.0
    from scipy import stats

    result = stats.permutation_test(
        (changed,),
        np.sum,
        permutation_type="samples",
        alternative="less",
        n_resamples=resamples,
        batch=BATCH,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
