"""When a stored evaluation is used again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assets.expectations import Expectation, ExpectationResult, Suite, find_exception
from assets.suite_evaluations import (
    FILE,
    MAX_EVALUATION_AGE,
    Evaluation,
    find_trusted_counts,
    fingerprint_suite,
    read_evaluation,
    store_evaluation,
)
from ragline.lifecycle.expectation_rows import RowCounts

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RESULT = ExpectationResult(
    "ids_are_unique", passed=True, rows=3, unexpected=0, observed=None, error=None
)
NAME = RESULT.name
EVALUATION = Evaluation("suite", "rows", "run-1", NOW, [RESULT], {NAME: RowCounts(3, 0)})
SUITE = Suite("s", "select 1", [Expectation("ids_are_unique", "No id twice.", "ExpectX", {"a": 1})])


def make_evaluation(counts: RowCounts, *, passed: bool) -> Evaluation:
    return replace(EVALUATION, results=[replace(RESULT, passed=passed)], counts={NAME: counts})


def test_stored_evaluation_is_read_back(tmp_path):
    confirmed = replace(EVALUATION, rows="other rows", counts_now={NAME: RowCounts(4, 0)})
    store_evaluation(tmp_path, confirmed)
    assert read_evaluation(tmp_path) == confirmed


def test_evaluation_of_another_suite_is_not_used():
    assert EVALUATION.is_of("suite", NOW)
    assert not EVALUATION.is_of("another suite", NOW)


def test_old_evaluation_is_not_used():
    assert EVALUATION.is_of("suite", NOW + MAX_EVALUATION_AGE - timedelta(seconds=1))
    assert not EVALUATION.is_of("suite", NOW + MAX_EVALUATION_AGE)


@pytest.mark.parametrize(
    ("before", "now", "holds"),
    [
        ((100, 0), (100, 0), True),
        ((100, 0), (1, 0), True),
        ((0, 0), (100, 0), True),
        ((0, 0), (100, 1), False),
        ((100, 0), (100, 1), False),
        ((100, 5), (100, 5), True),
        ((100, 5), (101, 5), True),
        ((100, 5), (99, 5), False),
        ((100, 5), (200, 11), False),
        ((100, 5), (200, 10), True),
        ((100, 5), (0, 0), True),
    ],
)
def test_passed_expectation_holds_while_the_unexpected_share_does_not_grow(before, now, holds):
    passed = make_evaluation(RowCounts(*before), passed=True)
    assert passed.holds_for({NAME: RowCounts(*now)}) is holds


@pytest.mark.parametrize(
    ("before", "now", "holds"),
    [
        ((100, 20), (100, 20), True),
        ((100, 20), (99, 20), True),
        ((100, 20), (101, 20), False),
        ((100, 20), (100, 19), False),
        ((100, 20), (100, 0), False),
        ((100, 20), (0, 0), False),
        ((100, 20), (50, 11), True),
    ],
)
def test_failed_expectation_holds_while_the_unexpected_share_does_not_shrink(before, now, holds):
    failed = make_evaluation(RowCounts(*before), passed=False)
    assert failed.holds_for({NAME: RowCounts(*now)}) is holds


def test_evaluation_without_counts_holds_for_no_other_rows():
    assert not replace(EVALUATION, counts={}).holds_for({NAME: RowCounts(3, 0)})
    assert not EVALUATION.holds_for({})


def test_counts_that_differ_from_great_expectations_are_not_used():
    counts = {NAME: RowCounts(3, 1)}
    assert find_trusted_counts([RESULT], counts) == {}
    assert find_trusted_counts([replace(RESULT, unexpected=1)], counts) == counts
    # Great Expectations states no number of unexpected rows for a query.
    assert find_trusted_counts([replace(RESULT, unexpected=None)], counts) == counts


def test_evaluation_with_an_error_is_not_stored(tmp_path):
    store_evaluation(tmp_path, EVALUATION)
    store_evaluation(tmp_path, replace(EVALUATION, results=[replace(RESULT, error="no table")]))
    assert read_evaluation(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"fingerprint": 1', '{"fingerprint": "t"}'])
def test_damaged_file_is_ignored(tmp_path, content):
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    assert read_evaluation(tmp_path) is None


def test_fingerprint_depends_on_the_suite():
    known = fingerprint_suite(SUITE)
    stricter = replace(SUITE.expectations[0], arguments={"a": 2})
    assert known == fingerprint_suite(SUITE)
    assert known != fingerprint_suite(replace(SUITE, query="select 2"))
    assert known != fingerprint_suite(replace(SUITE, expectations=[stricter]))


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (None, None),
        ({}, None),
        ({"raised_exception": False, "exception_message": None}, None),
        ({"raised_exception": True, "exception_message": "no such column"}, "no such column"),
        ({"metric": {"raised_exception": True, "exception_message": "gone"}}, "gone"),
        ({"a": {"raised_exception": False}, "b": {"raised_exception": True}}, "gave no reason"),
    ],
)
def test_exception_is_found_in_either_shape(info, said):
    found = find_exception(info)
    assert found is None if said is None else said in str(found)
