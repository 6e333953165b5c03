"""The bridge from Great Expectations to asset checks: one check for each expectation.

Suites are lists of `Expected`, plain values that load without the library, which takes seconds
to import. What is expected of which asset stands beside that asset's other checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
)

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext

SITE = "ragline"


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
        return self.severity == "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """What is expected of the rows of one query."""

    name: str
    query: str
    expected: Sequence[Expected]


def check_specs(asset: AssetKey, expected: Sequence[Expected]) -> list[AssetCheckSpec]:
    """The checks of an asset, one an expectation."""
    return [
        AssetCheckSpec(
            each.name, asset=asset, description=each.description, blocking=each.is_blocking
        )
        for each in expected
    ]


def run_suite(suite: Suite, url: str, docs: Path) -> Iterator[AssetCheckResult]:
    """Validate a suite and build its Data Docs in the folder `docs`; one result a check.

    An expectation that raises is a fault of ours, not of the data: its check fails as an error
    and says so.
    """
    # Imported here: seconds that loading the definitions must not pay. The second import makes
    # tables with vector columns readable for the library.
    import great_expectations as gx  # noqa: PLC0415
    import pgvector.sqlalchemy  # noqa: F401, PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql("ragline", connection_string=url)
    try:
        results = _validate(context, source, suite, docs)
    finally:
        source.get_engine().dispose()
    page = docs.resolve() / "index.html"
    for each, result in zip(suite.expected, results, strict=True):
        yield _to_check(each, result, page)


def _validate(
    context: EphemeralDataContext, source: Any, suite: Suite, docs: Path
) -> list[ExpectationValidationResult]:
    import great_expectations as gx  # noqa: PLC0415
    import great_expectations.expectations as gxe  # noqa: PLC0415
    from great_expectations.checkpoint import UpdateDataDocsAction  # noqa: PLC0415

    docs.mkdir(parents=True, exist_ok=True)
    context.add_data_docs_site(site_name=SITE, site_config=_site(docs))
    batch = source.add_query_asset(name=suite.name, query=suite.query)
    expectations = [
        getattr(gxe, each.kind)(**each.arguments, severity=each.severity, meta={"name": each.name})
        for each in suite.expected
    ]
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name,
            data=batch.add_batch_definition_whole_table("all"),
            suite=context.suites.add(gx.ExpectationSuite(suite.name, expectations=expectations)),
        )
    )
    checkpoint = gx.Checkpoint(
        name=suite.name,
        validation_definitions=[definition],
        actions=[UpdateDataDocsAction(name="docs", site_names=[SITE])],
        # No rows in the results: they would copy private text into the event log.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    outcome = context.checkpoints.add(checkpoint).run()
    (validated,) = outcome.run_results.values()
    by_name = {result.expectation_config.meta["name"]: result for result in validated.results}
    return [by_name[each.name] for each in suite.expected]


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs.resolve()),
        },
    }


def _to_check(
    each: Expected, result: ExpectationValidationResult, page: Path
) -> AssetCheckResult:
    crash = find_exception(result.exception_info)
    values = result.result
    metadata: dict[str, Any] = {
        "expectation": each.kind,
        "rows": values.get("element_count"),
        "unexpected": values.get("unexpected_count"),
        "observed": values.get("observed_value"),
        "data_docs": MetadataValue.url(page.as_uri()),
    }
    if crash is not None:
        metadata["the_check_itself_failed"] = crash
    is_error = each.is_blocking or crash is not None
    return AssetCheckResult(
        check_name=each.name,
        passed=bool(result.success) and crash is None,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={key: _plain(value) for key, value in metadata.items() if value is not None},
    )


def find_exception(info: Mapping[str, Any] | None) -> str | None:
    """The message of an exception in a result; the library reports it in two shapes."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    messages = [find_exception(nested) for nested in info.values() if isinstance(nested, Mapping)]
    return next((message for message in messages if message is not None), None)


def _plain(value: Any) -> Any:
    """A value that Dagster can keep: numpy's numbers become Python's."""
    return value.item() if hasattr(value, "item") else value
