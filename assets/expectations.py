"""The bridge from Great Expectations to asset checks: one check for each expectation.

Suites are plain values that load without the library, which takes seconds to import. What is
expected of which asset stands beside that asset's other checks; what an evaluation said, and
how long that holds, is `assets.suite_evaluations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from great_expectations.data_context.store.store import DataDocsSiteConfigTypedDict
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

SITE = "ragline"
TRACEBACK = "Traceback: "
UNNAMED = "the library gave no reason"


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation: the class's name in Great Expectations and its arguments.

    A `critical` one that fails is an error and holds back what stands on the asset; the others
    warn.
    """

    name: str
    description: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["critical", "warning"] = "warning"

    @property
    def is_blocking(self) -> bool:
        """Whether a failure is an error."""
        return self.severity == "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """What is expected of the rows of one query."""

    name: str
    query: str
    expected: Sequence[Expected]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one expectation. `crash` is set when evaluating it failed, in our hands:
    that says nothing about the data.
    """

    name: str
    passed: bool
    rows: int | None
    unexpected: int | None
    observed: str | float | int | bool | None
    crash: str | None


def evaluate_suite(suite: Suite, url: str, docs: Path) -> list[Verdict]:
    """Hold a suite against the database at `url` and build its Data Docs in the folder `docs`.

    Returns a verdict for each expectation, in the suite's order.
    """
    # Imported here: seconds that loading the definitions must not pay. The second import makes
    # tables with vector columns readable for the library.
    import great_expectations as gx
    import pgvector.sqlalchemy  # noqa: F401

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    source = context.data_sources.add_sql("ragline", connection_string=url)
    try:
        results = _validate(context, source, suite, docs)
    finally:
        source.get_engine().dispose()
    return [
        _read_result(each, result) for each, result in zip(suite.expected, results, strict=True)
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
        for each in suite.expected
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
        # No rows in the results: they would copy private text into the event log and the docs.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    (validated,) = context.checkpoints.add(checkpoint).run().run_results.values()
    by_name = {_name_of(result): result for result in validated.results}
    return [by_name[each.name] for each in suite.expected]


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


def _read_result(each: Expected, result: ExpectationValidationResult) -> Verdict:
    crash = find_exception(result.exception_info)
    values = result.result
    return Verdict(
        name=each.name,
        passed=bool(result.success) and crash is None,
        rows=_count(values.get("element_count")),
        unexpected=_count(values.get("unexpected_count")),
        observed=_plain(values.get("observed_value")),
        crash=crash,
    )


def find_exception(info: Mapping[str, Any] | None) -> str | None:
    """The message of an exception in a result; the library reports it in two shapes."""
    if not info:
        return None
    if "raised_exception" in info:
        if not info["raised_exception"]:
            return None
        # The library puts its traceback behind some messages.
        return str(info.get("exception_message") or UNNAMED).partition(TRACEBACK)[0].strip(' ."')
    messages = [find_exception(nested) for nested in info.values() if isinstance(nested, Mapping)]
    return next((message for message in messages if message is not None), None)


def _count(value: object) -> int | None:
    return None if value is None else int(str(value))


def _plain(value: object) -> str | float | int | bool | None:
    """A value that JSON can keep: numpy's numbers become Python's, anything else its text."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | float | int | bool | None) else str(value)
