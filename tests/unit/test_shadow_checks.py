"""What the gate decides from shadow reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragline.configuration import CollectionSettings
from ragline.counts import count
from ragline.gate.checks import find_verdict
from ragline.gate.shadow_checks import MIN_READS, check_shadow_reads
from ragline.rollout.shadow_reads import ShadowFigures

SETTINGS = CollectionSettings(name="notes")
GOOD = ShadowFigures(
    reads=400,
    errors=0,
    live_p50_ms=8.0,
    candidate_p50_ms=9.0,
    live_zero_results=2,
    candidate_zero_results=3,
    overlap=0.84,
    rank_biased_overlap=0.71,
)
NONE = ShadowFigures(0, 0, None, None, 0, 0, None, None)


def test_good_reads_pass_with_their_figures() -> None:
    check = check_shadow_reads(SETTINGS, GOOD)
    assert check.outcome == "passed"
    assert "400 shadow reads. The candidate failed in 0 of them" in check.reason
    assert "84% are equal (rank-biased overlap 0.71)" in check.reason


def test_low_overlap_is_shown_and_not_judged() -> None:
    check = check_shadow_reads(SETTINGS, replace(GOOD, overlap=0.0, rank_biased_overlap=0.0))
    assert check.outcome == "passed"
    assert "0% are equal" in check.reason


@pytest.mark.parametrize("reads", [0, MIN_READS - 1])
def test_too_few_reads_are_stated_and_leave_the_verdict_decidable(reads: int) -> None:
    figures = replace(NONE, reads=reads, errors=reads)
    check = check_shadow_reads(SETTINGS, figures)
    assert check.reason.startswith(
        f"Not decided: the last 7 days have {count(reads, 'shadow read')}."
    )
    assert "rollout.shadow_share is 0" in check.reason
    assert find_verdict([check]) == ("passed", ())


def test_errors_of_the_candidate_refuse_it() -> None:
    check = check_shadow_reads(SETTINGS, replace(GOOD, errors=12))
    assert check.outcome == "refused"
    assert "failed in 12 of 400 shadow reads" in check.reason


def test_candidate_that_fails_always_is_refused() -> None:
    check = check_shadow_reads(SETTINGS, replace(NONE, reads=MIN_READS, errors=MIN_READS))
    assert check.outcome == "refused"


def test_few_errors_can_be_chance() -> None:
    assert check_shadow_reads(SETTINGS, replace(GOOD, errors=5)).outcome == "passed"


@pytest.mark.parametrize(
    ("live", "candidate", "outcome"),
    [(8.0, 30.0, "refused"), (2.0, 9.0, "passed"), (100.0, 140.0, "passed")],
    ids=["slow", "within the noise of a machine", "within the ratio"],
)
def test_slow_candidate_is_refused(live: float, candidate: float, outcome: str) -> None:
    figures = replace(GOOD, live_p50_ms=live, candidate_p50_ms=candidate)
    check = check_shadow_reads(SETTINGS, figures)
    assert check.outcome == outcome
    assert ("At most 1.5 times" in check.reason) == (outcome == "refused")
