"""How long the verdicts of an evaluation stand for another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assets.expectations import Expected, Suite, Verdict, find_exception
from assets.suite_evaluations import (
    FILE,
    HOLDS_FOR,
    Evaluation,
    keep_evaluation,
    name_target,
    read_evaluation,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
VERDICT = Verdict("ids_are_unique", passed=True, rows=3, unexpected=0, observed=None, crash=None)
EVALUATION = Evaluation("target", "run-1", NOW, [VERDICT])
SUITE = Suite("s", "select 1", [Expected("ids_are_unique", "No id twice.", "ExpectX", {"a": 1})])


def test_kept_evaluation_is_read_back_whole(tmp_path):
    keep_evaluation(tmp_path, EVALUATION)
    assert read_evaluation(tmp_path) == EVALUATION


def test_evaluation_of_other_rows_does_not_hold():
    assert EVALUATION.holds("target", NOW)
    assert not EVALUATION.holds("another target", NOW)


def test_old_evaluation_does_not_hold():
    assert EVALUATION.holds("target", NOW + HOLDS_FOR - timedelta(seconds=1))
    assert not EVALUATION.holds("target", NOW + HOLDS_FOR)


def test_evaluation_with_a_crash_is_not_kept(tmp_path):
    keep_evaluation(tmp_path, EVALUATION)
    keep_evaluation(tmp_path, replace(EVALUATION, verdicts=[replace(VERDICT, crash="no table")]))
    assert read_evaluation(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"target": 1', '{"target": "t"}'])
def test_damaged_file_counts_as_none(tmp_path, content):
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    assert read_evaluation(tmp_path) is None


def test_target_follows_the_rows_and_the_suite():
    known = name_target(SUITE, "rows")
    stricter = replace(SUITE.expected[0], arguments={"a": 2})
    assert known == name_target(SUITE, "rows")
    assert known != name_target(SUITE, "other rows")
    assert known != name_target(replace(SUITE, expected=[stricter]), "rows")


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
