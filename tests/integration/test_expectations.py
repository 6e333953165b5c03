"""Suites evaluated by the real Great Expectations over a real table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetCheckSeverity, PathMetadataValue
from sqlalchemy import text

from assets.expectations import Expectation, ExpectationResult, Suite, evaluate_suite
from assets.suite_checks import to_check
from assets.suite_evaluations import Evaluation
from assets.suite_report import write_report

pytestmark = pytest.mark.filterwarnings("ignore")
SECRET = "the launch code is 0000"
SUITE = Suite(
    "letters",
    "select id, body, embedding from letters",
    [
        Expectation("ids_are_unique", "No id twice.", "ExpectColumnValuesToBeUnique",
                 {"column": "id"}, "critical"),
        Expectation("bodies_are_short", "No body over 5 characters.",
                 "ExpectColumnValueLengthsToBeBetween", {"column": "body", "max_value": 5}),
        Expectation("bodies_are_known", "Every body is a known one.", "ExpectColumnValuesToBeInSet",
                 {"column": "body", "value_set": ["hi"]}, "critical"),
        Expectation("colours_are_known", "There is no such column.", "ExpectColumnValuesToBeInSet",
                 {"column": "colour", "value_set": ["red"]}),
        Expectation("no_id_is_negative", "By a query of our own.", "UnexpectedRowsExpectation",
                 {"unexpected_rows_query": "select id from {batch} where id < 0"}, "critical"),
    ],
)  # fmt: skip


@pytest.fixture
def results(database, tmp_path):
    with database.begin() as connection:
        connection.execute(text("create table letters (id int, body text, embedding halfvec(2))"))
        connection.execute(
            text("insert into letters values (1, 'hi', '[1,0]'), (2, :body, '[0,1]')"),
            {"body": SECRET},
        )
    found = evaluate_suite(SUITE, database, tmp_path / "docs")
    return {result.name: result for result in found}


def test_results_say_what_passed_what_failed_and_what_crashed(results, tmp_path):
    assert list(results) == [each.name for each in SUITE.expectations]
    assert {name for name, result in results.items() if result.passed} == {
        "ids_are_unique",
        "no_id_is_negative",
    }
    assert (results["bodies_are_known"].rows, results["bodies_are_known"].unexpected) == (2, 1)
    assert {name for name, result in results.items() if result.error} == {"colours_are_known"}
    report_shows_all_without_a_network(results, tmp_path)
    checks_say_how_grave(results, tmp_path)
    docs_show_no_text_of_the_rows(tmp_path)


def report_shows_all_without_a_network(results, tmp_path):
    evaluation = Evaluation("t", "run-1", datetime.now(UTC), list(results.values()))
    write_report(tmp_path / "docs", SUITE, evaluation)
    page = (tmp_path / "docs" / "summary.html").read_text("utf-8")
    assert "Expectations on letters" in page
    assert "2 passed, 3 failed" in page
    assert all(each.description in page for each in SUITE.expectations)
    assert "//" not in page.replace("<!doctype", "")
    docs = tmp_path / "docs"
    check = to_check(SUITE.expectations[0], results["ids_are_unique"], evaluation, docs)
    report = check.metadata["report"]
    assert isinstance(report, PathMetadataValue)
    assert Path(report.path or "") == tmp_path / "docs" / "summary.html"
    assert "file://" not in str(check.metadata)


def checks_say_how_grave(results, tmp_path):
    evaluation = Evaluation("t", "run", datetime.now(UTC), list(results.values()))
    checks = {
        each.name: to_check(each, results[each.name], evaluation, tmp_path / "docs")
        for each in SUITE.expectations
    }
    assert checks["bodies_are_short"].severity is AssetCheckSeverity.WARN
    assert checks["bodies_are_known"].severity is AssetCheckSeverity.ERROR
    # A warning that could not be evaluated is an error: the fault is Ragline's.
    assert checks["colours_are_known"].severity is AssetCheckSeverity.ERROR
    assert "colour" in str(checks["colours_are_known"].metadata["evaluation_error"].value)
    assert SECRET not in str(checks)


def docs_show_no_text_of_the_rows(tmp_path):
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert tmp_path / "docs" / "index.html" in pages
    assert all(SECRET not in page.read_text(encoding="utf-8") for page in pages)


def test_lost_connection_is_not_a_failed_expectation(database, tmp_path):
    """The server ends the first connection that reads the rows. The second one reads them."""
    with database.begin() as connection:
        connection.execute(text("create table letters (id int, body text)"))
        connection.execute(text("insert into letters values (1, 'hi')"))
        connection.execute(text("create sequence readers"))
        connection.execute(
            text(
                """create function is_served() returns bool language sql volatile as $$
                select nextval('readers') > 1 or pg_terminate_backend(pg_backend_pid()) $$"""
            )
        )
    unique = Expectation(
        "ids_are_unique", "No id twice.", "ExpectColumnValuesToBeUnique", {"column": "id"}
    )
    suite = Suite("letters", "select id, body from letters where is_served()", [unique])
    (result,) = evaluate_suite(suite, database, tmp_path / "docs")
    assert result == ExpectationResult("ids_are_unique", True, 1, 0, None, None)
    with database.connect() as connection:
        assert connection.execute(text("select last_value > 1 from readers")).scalar_one()
