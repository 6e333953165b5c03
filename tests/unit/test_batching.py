"""Which texts a model reads together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragline.embedder.batching import longest_first, pad_rows, padded_width, plan_batches

COUNTS = st.lists(st.integers(min_value=1, max_value=300), max_size=80)
BUDGETS = st.integers(min_value=1, max_value=2000)


@given(COUNTS, BUDGETS)
def test_every_text_is_in_one_batch(counts: list[int], budget: int):
    planned = [index for _, indices in plan_batches(counts, budget) for index in indices]
    assert sorted(planned) == list(range(len(counts)))


@given(COUNTS, BUDGETS)
def test_all_texts_of_a_batch_have_one_padded_width(counts: list[int], budget: int):
    for width, indices in plan_batches(counts, budget):
        assert {padded_width(counts[index]) for index in indices} == {width}


@given(COUNTS, BUDGETS)
def test_a_batch_of_several_texts_keeps_the_token_budget(counts: list[int], budget: int):
    for width, indices in plan_batches(counts, budget):
        assert len(indices) == 1 or width * len(indices) <= budget


@given(COUNTS, BUDGETS)
def test_wide_batches_come_first(counts: list[int], budget: int):
    widths = [width for width, _ in plan_batches(counts, budget)]
    assert widths == sorted(widths, reverse=True)


def test_padding_wastes_less_than_one_step():
    assert [padded_width(count) for count in (1, 7, 8, 9, 255, 256)] == [8, 8, 8, 16, 256, 256]


def test_longest_first_keeps_equal_lengths_in_order():
    assert longest_first([3, 9, 3, 9, 1]) == [1, 3, 0, 2, 4]


def test_padded_rows_have_ids_and_a_mask():
    ids, mask = pad_rows([[5, 6], [7]], width=3, pad_id=9)
    np.testing.assert_array_equal(ids, [[5, 6, 9], [7, 9, 9]])
    np.testing.assert_array_equal(mask, [[1, 1, 0], [1, 0, 0]])
