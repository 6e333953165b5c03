"""The statistics of a watch: shares of searches, their clusters, and many looks."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.rollout.share_comparison import (
    Count,
    ShareComparison,
    compare_shares,
    find_design_effect,
    find_sequential_p_value,
)

COUNTS = st.integers(0, 500).flatmap(
    lambda searches: st.builds(Count, st.just(searches), st.integers(0, searches))
)


def compare(before: Count, after: Count, design_effect: float = 1.0) -> ShareComparison:
    compared = compare_shares(
        [before], [after], expected_change=0.05, is_rise_worse=True, design_effect=design_effect
    )
    assert compared is not None
    return compared


def test_clear_rise_is_found_and_its_interval_does_not_contain_0() -> None:
    found = compare(Count(5_000, 100), Count(400, 80))
    assert (found.reference_share, found.new_share) == (0.02, 0.2)
    assert found.difference == pytest.approx(0.18)
    assert 0.1 < found.low < found.difference < found.high < 0.25
    assert found.p_value < 1e-6


def test_fall_is_not_for_the_worse_if_a_rise_is_worse() -> None:
    assert compare(Count(5_000, 1_000), Count(400, 8)).p_value == 1.0


def test_fall_is_found_if_it_is_worse() -> None:
    found = compare_shares(
        [Count(5_000, 1_500)], [Count(800, 80)], expected_change=0.06, is_rise_worse=False
    )
    assert found is not None
    assert found.p_value < 1e-6


def test_groups_without_searches_are_not_compared() -> None:
    for before, after in ((Count(0, 0), Count(9, 1)), (Count(9, 1), Count(0, 0))):
        found = compare_shares([before], [after], expected_change=0.05, is_rise_worse=True)
        assert found is None


@given(COUNTS, COUNTS)
def test_values_stay_in_their_ranges(before: Count, after: Count) -> None:
    found = compare_shares([before], [after], expected_change=0.05, is_rise_worse=True)
    if found is not None:
        assert 0.0 <= found.p_value <= 1.0
        assert -1.0 <= found.low <= found.high <= 1.0


def test_clustered_searches_have_a_larger_variance() -> None:
    # Each caller repeats one query ten times, so that ten searches say as much as one.
    callers = [Count(10, 10 * (number % 4 == 0)) for number in range(80)]
    assert find_design_effect(callers) == pytest.approx(10.0, rel=0.05)
    before, after = Count(4_000, 1_000), Count(400, 140)
    alone, clustered = compare(before, after), compare(before, after, 10.0)
    assert alone.p_value < 0.01 < clustered.p_value
    widths = [found.high - found.low for found in (alone, clustered)]
    assert widths[1] / widths[0] == pytest.approx(sqrt(10), rel=0.01)


def test_independent_searches_have_no_design_effect() -> None:
    chance = np.random.default_rng(3)
    hours = [Count(200, int(chance.binomial(200, 0.1))) for _ in range(400)]
    assert find_design_effect(hours) == pytest.approx(1.0, abs=0.15)
    assert find_design_effect([Count(10, 5)] * 3) == 1.0
    assert find_design_effect([Count(10, 0)] * 9) == 1.0


def test_p_value_of_one_look_agrees_with_its_formula() -> None:
    # With V = 0.0001, tau = 0.05 and d = 0.05:
    # sqrt(0.0026 / 0.0001) · exp(-0.0025² / (2 · 0.0001 · 0.0026)).
    assert find_sequential_p_value(0.05, 0.0001, 0.05) == pytest.approx(3.07e-5, rel=0.01)
    assert find_sequential_p_value(0.0, 0.0001, 0.05) == 1.0
    assert find_sequential_p_value(1.0, 1e-9, 0.05) == 0.0


def look_every_ten_searches(chance: np.random.Generator, share: float) -> Iterator[float]:
    """The p-values of a watch that looks after every ten searches. The true share is 0.1 before."""
    before = Count(4_000, int(chance.binomial(4_000, 0.1)))
    searches = events = 0
    for _ in range(300):
        searches, events = searches + 10, events + int(chance.binomial(10, share))
        if searches >= 100:
            yield compare(before, Count(searches, events)).p_value


def test_hundreds_of_looks_rarely_find_a_change_that_does_not_exist() -> None:
    chance = np.random.default_rng(5)
    watches = 400
    alarms = sum(min(look_every_ten_searches(chance, 0.1)) <= 0.05 for _ in range(watches))
    # The guarantee is 5 %. An ordinary p-value of 5 % at each look finds a change in 25 %.
    assert alarms <= 0.05 * watches


def test_a_change_is_found_soon() -> None:
    chance = np.random.default_rng(6)
    looks = [
        next(look for look, p in enumerate(look_every_ten_searches(chance, 0.3)) if p <= 0.0025)
        for _ in range(100)
    ]
    # The first look has 100 searches, and each other look 10 more.
    assert np.median(looks) <= 5
    assert max(looks) <= 30
