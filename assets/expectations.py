"""Suites of expectations, and their evaluation by Great Expectations.

A suite is a plain value. The import of Great Expectations takes seconds, so only an evaluation
imports it. The expectations on an asset are in the module of its checks, for example
`assets.document_checks`. Stored evaluations are in `assets.suite_evaluations`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ragline.storage.database import Database

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from great_expectations.data_context.store.store import DataDocsSiteConfigTypedDict
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

SITE = "ragline"
TRACEBACK = "Traceback: "
NO_REASON = "Great Expectations gave no reason"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation: the name of its check, a class of Great Expectations, and its arguments.

    The failure of a `critical` expectation is an error and stops the later assets. The failure of a
    `warning` expectation is a warning.
    """

    name: str
    description: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["critical", "warning"] = "warning"

    @property
    def is_blocking(self) -> bool:
        """Whether a failure is an error and blocks the assets downstream."""
        return self.severity == "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """The expectations on the rows of one query."""

    name: str
    query: str
    expectations: Sequence[Expectation]


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """The result of one expectation.

    `error` is set if the expectation could not be evaluated. The result then says nothing about the
    data.
    """

    name: str
    passed: bool
    rows: int | None
    unexpected: int | None
    observed: str | float | int | bool | None
    error: str | None


def evaluate_suite(suite: Suite, database: Database, docs: Path) -> list[ExpectationResult]:
    """Evaluate a suite on the rows of its query, and write its Data Docs into the folder `docs`.

    Returns a result for each expectation, in the suite's order.

    If the connection is lost, Great Expectations returns a result with an error, as for an invalid
    expectation. Therefore a suite with an error is evaluated again, over a new connection. The
    second results are final.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    results = _evaluate_once(suite, database, docs)
    if all(result.error is None for result in results):
        return results
    with database.connect() as connection:
        connection.exec_driver_sql("select 1")
    return _evaluate_once(suite, database, docs)


def _evaluate_once(suite: Suite, database: Database, docs: Path) -> list[ExpectationResult]:
    # The import takes seconds, and Dagster must load the definitions fast. So it is inside the
    # function. The second import enables Great Expectations to read tables with vector columns.
    import great_expectations as gx
    import pgvector.sqlalchemy  # noqa: F401

    # Great Expectations logs each failed query with a traceback. The log is not needed, because the
    # result contains the error.
    logging.getLogger(gx.__name__).setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    with database.translated_errors():
        source = context.data_sources.add_sql("ragline", connection_string=database.url)
        try:
            results = _validate(context, source, suite, docs)
        finally:
            source.get_engine().dispose()
    return [
        _read_result(each, result) for each, result in zip(suite.expectations, results, strict=True)
    ]


def _validate(
    context: EphemeralDataContext, source: SQLDatasource, suite: Suite, docs: Path
) -> list[ExpectationValidationResult]:
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    docs.mkdir(parents=True, exist_ok=True)
    context.add_data_docs_site(site_name=SITE, site_config=_describe_site(docs))
    rows = source.add_query_asset(name=suite.name, query=suite.query)
    expectations = [
        getattr(gxe, each.kind)(**each.arguments, severity=each.severity, meta={"name": each.name})
        for each in suite.expectations
    ]
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name,
            data=rows.add_batch_definition_whole_table("all"),
            suite=context.suites.add(gx.ExpectationSuite(suite.name, expectations=expectations)),
        )
    )
    checkpoint = gx.Checkpoint(
        name=suite.name,
        validation_definitions=[definition],
        actions=[UpdateDataDocsAction(name="docs", site_names=[SITE])],
        # The results contain no rows, because the event log and the Data Docs must not contain the
        # text of documents.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    (validated,) = context.checkpoints.add(checkpoint).run().run_results.values()
    by_name = {_name_of(result): result for result in validated.results}
    return [by_name[each.name] for each in suite.expectations]


def _describe_site(docs: Path) -> DataDocsSiteConfigTypedDict:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs.resolve()),
        },
    }


def _name_of(result: ExpectationValidationResult) -> str:
    configuration = result.expectation_config
    return "" if configuration is None else str((configuration.meta or {}).get("name"))


def _read_result(each: Expectation, result: ExpectationValidationResult) -> ExpectationResult:
    error = find_exception(result.exception_info)
    values = result.result
    return ExpectationResult(
        name=each.name,
        passed=bool(result.success) and error is None,
        rows=_count(values.get("element_count")),
        unexpected=_count(values.get("unexpected_count")),
        observed=_plain(values.get("observed_value")),
        error=error,
    )


def find_exception(info: Mapping[str, Any] | None) -> str | None:
    """Return the message of the exception in a result, or None if the result has no exception.

    `info` is the field `exception_info` of a result. Great Expectations writes it in two formats,
    with and without a level for each metric.
    """
    if not info:
        return None
    if "raised_exception" in info:
        if not info["raised_exception"]:
            return None
        # Great Expectations appends a traceback to some messages.
        return str(info.get("exception_message") or NO_REASON).partition(TRACEBACK)[0].strip(' ."')
    messages = [find_exception(nested) for nested in info.values() if isinstance(nested, Mapping)]
    return next((message for message in messages if message is not None), None)


def _count(value: object) -> int | None:
    return None if value is None else int(str(value))


def _plain(value: object) -> str | float | int | bool | None:
    """Return the value in a form that JSON can represent: a number, a boolean, None or a text."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | float | int | bool | None) else str(value)
