"""Drift: how much the queries of a period differ from earlier queries, in vectors and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MIN_QUERIES = 20
PERMUTATIONS = 500
BINS = 10
# The share that is used for an empty bin. With a share of 0, the population stability index would
# be infinite.
MIN_SHARE = 1e-4


@dataclass(frozen=True, slots=True)
class Drift:
    """The difference between the queries of a period and the queries before it.

    `mmd` is the squared maximum mean discrepancy of their vectors. It is 0 for equal samples.
    `p_value` is the share of random permutations of both samples whose discrepancy is equal or
    larger. `length_psi` is the population stability index of their lengths in characters. Below
    0.1, the lengths have not changed. Above 0.25, they have changed strongly.
    """

    queries: int
    reference_queries: int
    mmd: float
    p_value: float
    length_psi: float


def measure_drift(
    reference: Floats,
    current: Floats,
    reference_lengths: Sequence[int],
    lengths: Sequence[int],
) -> Drift | None:
    """Compare two samples: vectors (n, dim) float32, and a length in characters for each.

    The result is None if a sample has fewer than 20 queries. The random permutations have a fixed
    seed, so equal input gives an equal result.
    """
    if min(len(reference), len(current)) < MIN_QUERIES:
        return None
    mmd, p_value = compare_samples(reference, current)
    psi = population_stability(reference_lengths, lengths)
    return Drift(len(current), len(reference), mmd, p_value, psi)


def compare_samples(
    reference: Floats, current: Floats, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """Return the squared maximum mean discrepancy of two samples, and its p-value.

    Each sample is (n, dim) float32. The function uses the biased estimate, which is never negative.
    The kernel is Gaussian, and its width is the median distance of all pairs. Source: Gretton et
    al., "A Kernel Two-Sample Test", JMLR 13 (2012), equation 5 and section 5.
    """
    kernel = _gaussian_kernel(np.concatenate([reference, current]))
    weights = np.concatenate(
        [np.full(len(reference), -1 / len(reference)), np.full(len(current), 1 / len(current))]
    )
    observed = float(weights @ kernel @ weights)
    random = np.random.default_rng(0)
    shuffled = random.permuted(np.tile(weights, (permutations, 1)), axis=1)
    others = np.einsum("pi,pi->p", shuffled @ kernel, shuffled)
    # The tolerance is necessary, because the order of a summation changes the last digits.
    as_far = int(np.sum(others >= observed - 1e-12))
    return max(observed, 0.0), (as_far + 1) / (permutations + 1)


def population_stability(reference: Sequence[float], current: Sequence[float]) -> float:
    """Return the population stability index over the deciles of the reference.

    The index is the sum over bins of (c - r) * ln(c / r). Here r and c are the shares of the
    reference and the current sample in a bin. The index is 0 for equal samples.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = []
    for sample in (reference, current):
        counts = np.bincount(np.searchsorted(edges, sample), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(sample), MIN_SHARE))
    before, now = shares
    return float(np.sum((now - before) * np.log(now / before)))


def _gaussian_kernel(vectors: Floats) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    squares = np.sum(rows * rows, axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * rows @ rows.T, 0)
    median = float(np.median(distances[np.triu_indices(len(rows), 1)]))
    kernel: NDArray[np.float64] = np.exp(-distances / (median or 1.0))
    return kernel
