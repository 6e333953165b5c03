"""Chunks of a document are put together to its text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragline.search.inspection import join_chunks

TEXT = "abcdefghij" * 5


def cut(*spans):
    return [(start, end, TEXT[start:end]) for start, end in spans]


def test_no_chunks_are_no_text():
    assert join_chunks([]) == ""


def test_what_two_chunks_share_comes_once():
    assert join_chunks(cut((0, 10), (7, 20), (15, 30))) == TEXT[:30]


def test_chunks_that_touch_have_nothing_between():
    assert join_chunks(cut((3, 10), (10, 20))) == TEXT[3:20]


def test_a_gap_is_a_line_end_or_a_blank_line():
    assert join_chunks(cut((0, 5), (6, 10))) == TEXT[:5] + "\n" + TEXT[6:10]
    assert join_chunks(cut((0, 5), (8, 10))) == TEXT[:5] + "\n\n" + TEXT[8:10]


def test_chunk_within_the_one_before_adds_nothing():
    assert join_chunks(cut((0, 20), (5, 10), (18, 25))) == TEXT[:25]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.integers(0, 5)), max_size=8))
def test_overlapping_chunks_give_the_text_they_cover(steps):
    spans, start = [], 0
    for _, length, overlap in steps:
        end = min(start + length, len(TEXT))
        spans.append((start, end))
        start = max(end - overlap, start)
    covered = max((end for _, end in spans), default=0)
    assert join_chunks(cut(*spans)) == TEXT[:covered]
