"""The asset checks of a suite: one check for each expectation, and one evaluation for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    ResourceParam,
    multi_asset_check,
)

from assets import suite_report
from assets.asset_keys import source_key, to_dagster_name
from assets.expectations import Expectation, ExpectationResult, Suite, evaluate_suite
from assets.suite_evaluations import (
    Evaluation,
    fingerprint_suite,
    read_evaluation,
    store_evaluation,
)
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.expectation_rows import CheckedTable, fingerprint_rows, write_rows_query
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings


def build_suite_checks(
    settings: SourceSettings, table: CheckedTable, expected: Sequence[Expectation]
) -> AssetChecksDefinition:
    """Build the checks of the asset `<source>_<table>`.

    A critical check that fails blocks the next stages.
    """
    specs = check_specs(source_key(settings.name, table), expected)
    name = f"{to_dagster_name(settings.name)}_{table}_expectations"

    @multi_asset_check(name=name, specs=specs)
    def expectations(run_context: ResourceParam[RunContext]) -> Iterator[AssetCheckResult]:
        query = write_rows_query(table, settings.name)
        suite = Suite(f"{settings.name} {table}", query, expected)
        docs = run_context.configuration.home / "data_docs" / settings.name / table
        rows = fingerprint_rows(run_context.database, table, settings.name)
        evaluation = evaluate_or_reuse(run_context, suite, rows, docs)
        blocking = {
            each.name: result.passed
            for each, result in zip(expected, evaluation.results, strict=True)
            if each.is_blocking
        }
        record_blocking_checks(run_context.database, settings.name, table, blocking)
        for each, result in zip(expected, evaluation.results, strict=True):
            yield to_check(each, result, evaluation, docs)

    return expectations


def check_specs(asset: AssetKey, expected: Sequence[Expectation]) -> list[AssetCheckSpec]:
    """Return the specifications of an asset's checks, one for each expectation."""
    return [
        AssetCheckSpec(
            each.name,
            asset=asset,
            description=each.description,
            blocking=each.is_blocking,
            metadata={"expectation": each.kind},
        )
        for each in expected
    ]


def evaluate_or_reuse(run_context: RunContext, suite: Suite, rows: str, docs: Path) -> Evaluation:
    """Return the stored evaluation if it is valid for these rows, or make and store a new one.

    `rows` is the fingerprint of the rows.
    """
    now = datetime.now(UTC)
    suite_fingerprint = fingerprint_suite(suite, rows)
    stored = read_evaluation(docs)
    if stored is not None and stored.is_valid_for(suite_fingerprint, now):
        if not (docs / suite_report.FILE).exists():  # older releases wrote no page
            suite_report.write_report(docs, suite, stored)
        return stored
    results = evaluate_suite(suite, run_context.database, docs)
    evaluation = Evaluation(suite_fingerprint, run_context.run_id, now, results)
    store_evaluation(docs, evaluation)
    suite_report.write_report(docs, suite, evaluation)
    return evaluation


def to_check(
    each: Expectation, result: ExpectationResult, evaluation: Evaluation, docs: Path
) -> AssetCheckResult:
    """Return the result of an expectation as the result of a check.

    If an expectation could not be evaluated, its check fails with the severity ERROR and shows the
    error. So a reader can distinguish an error of Ragline from an error in the data.
    """
    metadata = {
        "rows": result.rows,
        "unexpected": result.unexpected,
        "observed": result.observed,
        # This is a path and not a link, because a browser does not open a local file from a
        # server's page.
        "report": MetadataValue.path(docs.resolve() / suite_report.FILE),
        "evaluated_in_run": MetadataValue.dagster_run(evaluation.run_id),
        "evaluated_at": MetadataValue.timestamp(evaluation.evaluated_at),
        "evaluation_error": result.error,
    }
    is_error = each.is_blocking or result.error is not None
    return AssetCheckResult(
        check_name=each.name,
        passed=result.passed,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={name: value for name, value in metadata.items() if value is not None},
    )
