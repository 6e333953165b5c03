"""The overlap and the rank-biased overlap of two ranked lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.rollout.rank_agreement import (
    measure_overlap,
    measure_rank_biased_overlap,
    rank_items,
)

LISTS = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=10, unique=True)


def test_items_are_distinct_and_at_most_ten() -> None:
    assert rank_items(["b", "a", "b", *"cdefghijklm"]) == [*"bacdefghij"]
    assert rank_items([]) == []


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [("ab", "ba", 1.0), ("abcd", "ab", 0.5), ("ab", "cd", 0.0), ("", "", 1.0), ("", "a", 0.0)],
)
def test_overlap_is_the_share_of_common_items(first: str, second: str, overlap: float) -> None:
    assert measure_overlap(first, second) == overlap


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # By hand, with p = 0.9. The agreements at the depths 1 to 4 are 0, 1, 1, 1:
        # (0.1 / 0.9) · (0.81 + 0.729 + 0.6561) + 0.6561.
        ("abcd", "bacd", 0.9),
        # The agreements are 1, 1, 2/3, 1: (0.1 / 0.9) · (0.9 + 0.81 + 0.486 + 0.6561) + 0.6561.
        ("abcd", "abdc", 0.973),
        # The lists have no common item at depth 1, and one common item at depth 2:
        # (0.1 / 0.9) · (0.5 · 0.81) + 0.5 · 0.81.
        ("ab", "cb", 0.45),
        # The shorter list is the beginning of the longer one.
        ("ab", "abcd", 1.0),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_rank_biased_overlap_has_its_known_values(first: str, second: str, expected: float) -> None:
    assert measure_rank_biased_overlap(first, second) == pytest.approx(expected)


@given(LISTS, LISTS)
def test_rank_biased_overlap_is_symmetric_and_from_0_to_1(
    first: list[str], second: list[str]
) -> None:
    measured = measure_rank_biased_overlap(first, second)
    assert 0.0 <= measured <= 1.0 + 1e-9
    assert measured == pytest.approx(measure_rank_biased_overlap(second, first))


@given(LISTS)
def test_equal_lists_agree_and_lists_without_a_common_item_do_not(items: list[str]) -> None:
    assert measure_rank_biased_overlap(items, items) == pytest.approx(1.0)
    if items:
        others = [item.upper() for item in items]
        assert measure_rank_biased_overlap(items, others) == 0.0
