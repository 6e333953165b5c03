"""The gate's decision on simulated golden sets: equal generations pass, and real falls do not."""

from __future__ import annotations

import numpy as np
import pytest

from ragline.configuration.collection_settings import GateSettings
from ragline.gate.checks import (
    check_golden_set,
    check_measure,
    check_slices,
    check_thresholds,
    compare_measures,
    compare_slices,
    find_verdict,
    state_thresholds,
)
from ragline.gate.comparison import (
    Values,
    adjust_p_values,
    compare_values,
    count_needed_queries,
    decide_family,
    find_detectable_fall,
)
from ragline.gate.report import Check

SETTINGS = GateSettings(detectable_fall=0.5)
QUERIES = 80
GATES = 100
# Enough for a decision at the level of these tests; the gate itself uses more.
RESAMPLES = 499


def simulate_values(random: np.random.Generator, fall: float = 0.0) -> tuple[Values, Values]:
    """The nDCG@10 of both generations: most queries are equal, as after a change of a model."""
    live = np.clip(random.normal(0.5, 0.3, QUERIES), 0, 1)
    changed = random.random(QUERIES) < 0.6
    noise = random.normal(0, 0.25, QUERIES)
    # Both are drawn around one value, so that their true difference is `fall`.
    return live + changed * noise / 2, live - changed * noise / 2 - fall


def is_refused(seed: int, fall: float = 0.0) -> bool:
    """Run one simulated gate with three measures that vary together, and three slices."""
    random = np.random.default_rng(seed)
    live, candidate = simulate_values(random, fall)
    jitter = random.normal(0, 0.1, (2, QUERIES))
    names = {"ndcg@10": live, "recall@10": live + jitter[0], "mrr@10": live + jitter[1]}
    others = {
        "ndcg@10": candidate, "recall@10": candidate + jitter[1], "mrr@10": candidate + jitter[0],
    }  # fmt: skip
    keys = [str(number) for number in range(QUERIES)]
    slices = {f"source = {rest}": {k for k in keys if int(k) % 3 == rest} for rest in range(3)}
    measures = compare_measures(names, others, SETTINGS, seed, resamples=RESAMPLES)
    parts = compare_slices(keys, live, candidate, slices, SETTINGS, seed, resamples=RESAMPLES)
    return any(one.is_refused for one in [*measures, *parts])


def test_at_most_five_of_a_hundred_gates_of_equal_generations_are_refused():
    refused = sum(is_refused(seed) for seed in range(GATES))
    assert refused <= 5


def test_fall_of_twice_the_detectable_size_is_refused_in_at_least_eighty_gates():
    live, candidate = simulate_values(np.random.default_rng(7))
    (compared, *_) = compare_measures(
        dict.fromkeys(("ndcg@10", "recall@10", "mrr@10"), live),
        dict.fromkeys(("ndcg@10", "recall@10", "mrr@10"), candidate),
        SETTINGS, 7, resamples=RESAMPLES,
    )  # fmt: skip
    assert compared.detectable_fall is not None
    refused = sum(is_refused(seed, 2 * compared.detectable_fall) for seed in range(GATES))
    assert refused >= 80


def test_equal_values_have_no_interval_and_pass():
    values = np.array([0.2, 0.8, 1.0])
    (found,) = decide_family([compare_values("ndcg@10", values, values, 1, margin=0.02)])
    assert (found.low, found.high, found.p_value, found.is_refused) == (0.0, 0.0, 1.0, False)
    # Without any variation, every fall beyond the margin is detected.
    assert found.detectable_fall == 0.02


def test_p_value_of_few_changed_queries_is_exact():
    live = np.ones(50)
    candidate = live.copy()
    candidate[:5] = 0.0
    found = compare_values("ndcg@10", live, candidate, 1)
    assert found.p_value == pytest.approx(1 / 2**5)
    assert (found.fell, found.rose) == (5, 0)
    assert found.low < found.difference < found.high


def test_equal_seeds_give_equal_results():
    live, candidate = simulate_values(np.random.default_rng(3))
    first, again = (compare_values("ndcg@10", live, candidate, 11) for _ in range(2))
    assert first == again


def test_fall_within_the_margin_passes_although_it_is_real():
    live = np.full(200, 0.5)
    candidate = live - np.linspace(0.01, 0.02, 200)
    settings = GateSettings(ndcg_margin=0.05)
    (found,) = compare_measures({"ndcg@10": live}, {"ndcg@10": candidate}, settings, 1)
    assert found.p_value < 0.001
    assert not found.is_refused
    assert "The margin is 0.05" in check_measure(found).reason


def test_fall_beyond_the_margin_that_can_be_chance_passes_and_says_so():
    random = np.random.default_rng(5)
    live = np.full(30, 0.5)
    candidate = live - 0.04 + random.normal(0, 0.4, 30)
    candidate -= (candidate - live).mean() + 0.04
    (found,) = compare_measures({"ndcg@10": live}, {"ndcg@10": candidate}, SETTINGS, 1)
    assert not found.is_refused
    assert "can be chance (p = 0." in check_measure(found).reason
    assert ", adjusted for 1 comparison)." in check_measure(found).reason


def test_fall_in_one_slice_is_refused_although_the_mean_is_within_the_margin():
    keys = [str(number) for number in range(300)]
    live = np.full(300, 0.6)
    candidate = live + 0.04
    candidate[:20] = 0.0
    members = {"source = a": set(keys[:20]), "source = b": set(keys[20:])}
    settings = GateSettings()
    (mean,) = compare_measures({"ndcg@10": live}, {"ndcg@10": candidate}, settings, 1)
    assert not mean.is_refused
    check = check_slices(compare_slices(keys, live, candidate, members, settings, 1))
    assert check.outcome == "refused"
    assert "In the slice source = a, nDCG@10 falls by 0.6000" in check.reason
    assert "source = b" not in check.reason
    assert ", adjusted for 2 comparisons)." in check.reason


def test_mean_below_its_threshold_is_refused_whatever_the_live_one_has():
    live, candidate = np.full(30, 0.2), np.full(30, 0.6123)
    values = ({"ndcg@10": live, "mrr@10": live}, {"ndcg@10": candidate, "mrr@10": candidate})
    compared = compare_measures(*values, SETTINGS, 1)
    check = check_thresholds(state_thresholds(compared, {"ndcg@10": 0.7, "mrr@10": 0.61}))
    assert (check.name, check.outcome) == ("thresholds", "refused")
    assert check.reason == (
        "nDCG@10 of the candidate is 0.6123, and the setting thresholds requires at least 0.7."
    )
    # A mean that is shown as equal reaches its threshold.
    check = check_thresholds(state_thresholds(compared, {"ndcg@10": 0.61234, "mrr@10": 0.61}))
    assert check.outcome == "passed"
    assert "nDCG@10 of the candidate is 0.6123" in check.reason
    assert "MRR@10 of the candidate is 0.6123" in check.reason
    assert check_thresholds(compared).reason.startswith("Not decided: ")


def test_slice_of_few_queries_is_shown_and_not_decided():
    keys = [str(number) for number in range(30)]
    live, candidate = np.ones(30), np.ones(30)
    candidate[:11] = 0.0
    (found,) = compare_slices(keys, live, candidate, {"tag = x": set(keys[:11])}, SETTINGS, 1)
    assert (found.queries, found.difference, found.is_refused) == (11, -1.0, False)


def test_p_values_are_adjusted_by_holm():
    assert adjust_p_values([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert adjust_p_values([0.9, 0.6]) == [1.0, 1.0]
    assert adjust_p_values([]) == []


def test_needed_queries_detect_the_wanted_fall():
    live, candidate = simulate_values(np.random.default_rng(9))
    found = compare_values("ndcg@10", live, candidate, 1, margin=0.02)
    needed = count_needed_queries(found, 0.05, 0.01)
    assert needed is not None
    error = found.standard_error * (found.queries / needed) ** 0.5
    assert find_detectable_fall(error, 0.02, 0.01) == pytest.approx(0.05, abs=0.001)
    assert count_needed_queries(found, 0.02, 0.01) is None


def test_too_few_queries_are_not_decided_and_the_missing_number_is_named():
    values = np.ones(12)
    (found,) = compare_measures({"ndcg@10": values}, {"ndcg@10": values}, GateSettings(), 1)
    check = check_golden_set(GateSettings(), 12, found, 3)
    assert check.outcome == "undecided"
    assert "Judge 8 more" in check.reason


def test_queries_that_cannot_detect_a_fall_are_not_decided():
    random = np.random.default_rng(2)
    live, candidate = random.random(25), random.random(25)
    (found,) = compare_measures({"ndcg@10": live}, {"ndcg@10": candidate}, GateSettings(), 1)
    check = check_golden_set(GateSettings(), 25, found, 1)
    assert check.outcome == "undecided"
    assert "queries are needed" in check.reason


def test_one_refusal_decides_although_another_check_is_undecided():
    passed, undecided = Check("a", "passed", "A."), Check("b", "undecided", "B.")
    assert find_verdict([passed]) == ("passed", ())
    assert find_verdict([passed, undecided]) == ("undecidable", ("B.",))
    assert find_verdict([undecided, Check("c", "refused", "C.")]) == ("refused", ("C.", "B."))
