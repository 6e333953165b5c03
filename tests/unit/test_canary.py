"""The choice of the callers of a canary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ragline.commands.generation_canary import describe_canary
from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.rollout.canary_report import CanaryReport
from ragline.rollout.online_figures import FigureComparison
from ragline.rollout.share_comparison import Count, compare_shares
from ragline.search.messages import SearchRequest
from retrieval_api.rollout.canary import Canary, is_in_canary
from retrieval_api.rollout.candidates import Candidates

CALLERS = [f"key-{number}" for number in range(4_000)]


class KnownCandidates(Candidates):
    """Candidates that are already read."""

    def __init__(self, configuration: Configuration, ids: dict[str, int]) -> None:
        super().__init__(configuration)
        self._ids = ids


def make_canary(share: float, ids: dict[str, int]) -> Canary:
    settings = CollectionSettings(name="notes", rollout=RolloutSettings(canary_share=share))
    configuration = Configuration(collections=(settings,))
    return Canary(configuration, KnownCandidates(configuration, ids), lambda *_: None)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_share_of_the_callers_is_chosen(share: float) -> None:
    chosen = sum(is_in_canary(7, caller, share) for caller in CALLERS)
    assert chosen / len(CALLERS) == pytest.approx(share, abs=0.03)


def test_caller_stays_in_a_larger_share() -> None:
    small = {caller for caller in CALLERS if is_in_canary(7, caller, 0.1)}
    large = {caller for caller in CALLERS if is_in_canary(7, caller, 0.2)}
    assert small < large


def test_next_candidate_has_other_callers() -> None:
    first, second = ({c for c in CALLERS if is_in_canary(one, c, 0.2)} for one in (7, 8))
    assert len(first & second) == pytest.approx(0.04 * len(CALLERS), rel=0.3)


def test_callers_are_answered_by_the_candidate_only_if_there_is_one_that_is_new_enough() -> None:
    request = SearchRequest("notes", "tea")
    canary = make_canary(1.0, {"notes": 7})
    assert canary.choose_candidate(request, "a") == 7
    assert canary.choose_candidate(SearchRequest("notes", "tea", min_generation=7), "a") == 7
    assert canary.choose_candidate(SearchRequest("notes", "tea", min_generation=8), "a") is None
    assert canary.choose_candidate(SearchRequest("other", "tea"), "a") is None
    assert make_canary(1.0, {}).choose_candidate(request, "a") is None
    assert make_canary(0.0, {"notes": 7}).choose_candidate(request, "a") is None


def test_report_is_shown_with_its_intervals() -> None:
    shares = compare_shares(
        [Count(900, 27)], [Count(100, 9)], expected_change=0.05, is_rise_worse=True
    )
    report = CanaryReport(
        collection="notes",
        candidate=7,
        since=datetime(2026, 11, 30, 12, tzinfo=UTC),
        canary_searches=100,
        canary_clients=1,
        failures=2,
        other_searches=900,
        other_clients=80,
        figures=(
            FigureComparison("zero_results", shares, 0.05),
            FigureComparison("clicked", None, 0.0),
        ),
    )
    head, zero_results, clicked = describe_canary(report)
    assert "100 searches of 1 client in the canary, 2 of them answered by the live" in head
    assert head.endswith("900 other searches of 80 clients")
    assert zero_results.startswith("  zero_results: 9.0% instead of 3.0%, difference +6.0% (")
    assert clicked == "  clicked: not decided, too few searches"
    (line,) = describe_canary(replace(report, since=None))
    assert line.startswith("notes: generation 7 has answered no search")
