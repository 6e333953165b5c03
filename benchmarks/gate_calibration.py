"""Measures how often the gate refuses simulated candidates: equal ones, and worse ones.

A simulated golden set has one value of each measure for each query and generation. The values have
one of three shapes: all queries change a little, few queries change much, or each value is 0 or 1.
The true difference of both generations is known. For each shape and number of queries, the script
prints three shares of refused candidates. The limit is next to each share:

- equal candidates: at most 2 % may be refused, in the whole gate with all measures and slices;
- candidates that are worse by the detectable fall: about 80 % should be refused for nDCG@10;
- candidates that are worse by twice the detectable fall: at least 80 % must be refused.

It needs no database. The exit status is 1 if a limit is violated.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from ragline.configuration.collection_settings import GateSettings
from ragline.gate.checks import compare_measures, compare_slices
from ragline.gate.comparison import ERROR_RATE, POWER, Values
from ragline.gate.report import Comparison

SETTINGS = GateSettings()
MEASURES = ("ndcg@10", "recall@10", "mrr@10")
SLICES = 8
# An observed share may exceed its limit by this number of standard errors.
TOLERANCE = 2.6

Shape = Callable[[np.random.Generator, int], tuple[Values, Values]]


def change_all(random: np.random.Generator, queries: int) -> tuple[Values, Values]:
    """Every value changes a little, as after a change of the model."""
    middle = random.uniform(0.2, 0.8, queries)
    noise = random.normal(0, 0.08, queries)
    return middle + noise, middle - noise


def change_few(random: np.random.Generator, queries: int) -> tuple[Values, Values]:
    """One query in ten changes much, as after a small change of the chunking."""
    middle = random.uniform(0.3, 0.7, queries)
    noise = random.uniform(-0.3, 0.3, queries) * (random.random(queries) < 0.1)
    return middle + noise, middle - noise


def change_between_zero_and_one(random: np.random.Generator, queries: int) -> tuple[Values, Values]:
    """A query finds its only relevant document, or does not find it."""
    return tuple((random.random((2, queries)) < 0.5 + random.uniform(-0.3, 0.3, queries)) * 1.0)


SHAPES: tuple[Shape, ...] = (change_all, change_few, change_between_zero_and_one)


def judge(
    shape: Shape, queries: int, seed: int, fall: float, resamples: int
) -> tuple[list[Comparison], list[Comparison]]:
    """Decide one simulated gate. `fall` is subtracted from all values of the candidate."""
    random = np.random.default_rng(seed)
    pairs = [shape(random, queries) for _ in MEASURES]
    live = dict(zip(MEASURES, (pair[0] for pair in pairs), strict=True))
    candidate = dict(zip(MEASURES, (pair[1] - fall for pair in pairs), strict=True))
    keys = [str(number) for number in range(queries)]
    group = random.integers(SLICES, size=queries)
    slices = {
        f"slice {number}": {key for key, own in zip(keys, group, strict=True) if own == number}
        for number in sorted(set(group))
    }
    measures = compare_measures(live, candidate, SETTINGS, seed, resamples=resamples)
    parts = compare_slices(
        keys, live["ndcg@10"], candidate["ndcg@10"], slices, SETTINGS, seed, resamples=resamples
    )
    return measures, parts


def measure_shape(shape: Shape, queries: int, gates: int, resamples: int) -> bool:
    """Print the three shares of one shape; return whether all limits hold."""
    equal = [judge(shape, queries, seed, 0.0, resamples) for seed in range(gates)]
    false_refusals = np.mean(
        [any(one.is_refused for one in [*measures, *parts]) for measures, parts in equal]
    )
    fall = float(np.median([measures[0].detectable_fall for measures, _ in equal]))
    shares = []
    for size in (1, 2):
        worse = [judge(shape, queries, gates + s, size * fall, resamples) for s in range(gates)]
        shares.append(np.mean([measures[0].is_refused for measures, _ in worse]))
    print(
        f"{shape.__name__:<28}{queries:>8,}{fall:>12.4f}{false_refusals:>12.1%}"
        f"{shares[0]:>12.1%}{shares[1]:>12.1%}"
    )
    limit = ERROR_RATE + TOLERANCE * (ERROR_RATE * (1 - ERROR_RATE) / gates) ** 0.5
    return bool(false_refusals <= limit and shares[1] >= POWER)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gates", type=int, default=200, help="Simulated gates for each share.")
    parser.add_argument("--resamples", type=int, default=1_999, help="The gate itself uses 9,999.")
    options = parser.parse_args()
    started = time.perf_counter()
    header = ("queries", "detectable", "equal", "worse", "twice worse")
    print(f"{'shape':<28}{header[0]:>8}" + "".join(f"{name:>12}" for name in header[1:]))
    print(f"{'limit':<48}{f'<= {ERROR_RATE:.0%}':>12}{f'~ {POWER:.0%}':>12}{f'>= {POWER:.0%}':>12}")
    kept = [
        measure_shape(shape, queries, options.gates, options.resamples)
        for shape in SHAPES
        for queries in (30, 100, 300)
    ]
    print(f"{options.gates} gates for each share, {time.perf_counter() - started:.0f} s")
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
