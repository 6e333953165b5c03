"""How long a stored evaluation is valid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assets.expectations import Expectation, ExpectationResult, Suite, find_exception
from assets.suite_evaluations import (
    FILE,
    MAX_EVALUATION_AGE,
    Evaluation,
    fingerprint_suite,
    read_evaluation,
    store_evaluation,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RESULT = ExpectationResult(
    "ids_are_unique", passed=True, rows=3, unexpected=0, observed=None, error=None
)
EVALUATION = Evaluation("fingerprint", "run-1", NOW, [RESULT])
SUITE = Suite("s", "select 1", [Expectation("ids_are_unique", "No id twice.", "ExpectX", {"a": 1})])


def test_stored_evaluation_is_read_back(tmp_path):
    store_evaluation(tmp_path, EVALUATION)
    assert read_evaluation(tmp_path) == EVALUATION


def test_evaluation_of_other_rows_is_not_valid():
    assert EVALUATION.is_valid_for("fingerprint", NOW)
    assert not EVALUATION.is_valid_for("another fingerprint", NOW)


def test_old_evaluation_is_not_valid():
    assert EVALUATION.is_valid_for("fingerprint", NOW + MAX_EVALUATION_AGE - timedelta(seconds=1))
    assert not EVALUATION.is_valid_for("fingerprint", NOW + MAX_EVALUATION_AGE)


def test_evaluation_with_an_error_is_not_stored(tmp_path):
    store_evaluation(tmp_path, EVALUATION)
    store_evaluation(tmp_path, replace(EVALUATION, results=[replace(RESULT, error="no table")]))
    assert read_evaluation(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"fingerprint": 1', '{"fingerprint": "t"}'])
def test_damaged_file_is_ignored(tmp_path, content):
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    assert read_evaluation(tmp_path) is None


def test_fingerprint_depends_on_rows_and_suite():
    known = fingerprint_suite(SUITE, "rows")
    stricter = replace(SUITE.expectations[0], arguments={"a": 2})
    assert known == fingerprint_suite(SUITE, "rows")
    assert known != fingerprint_suite(SUITE, "other rows")
    assert known != fingerprint_suite(replace(SUITE, expectations=[stricter]), "rows")


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
