"""The asset checks of a suite: one check for each expectation, and one evaluation for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    find_trusted_counts,
    fingerprint_suite,
    read_evaluation,
    store_evaluation,
)
from ragline.lifecycle.blocking_checks import record_blocking_checks
from ragline.lifecycle.expectation_rows import (
    CheckedTable,
    count_rows,
    fingerprint_rows,
    write_rows_query,
)
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
        evaluation, docs = evaluate_source(run_context, settings.name, table, expected)
        blocking = {
            each.name: result.passed
            for each, result in zip(expected, evaluation.results, strict=True)
            if each.is_blocking
        }
        record_blocking_checks(run_context.database, settings.name, table, blocking)
        for each, result in zip(expected, evaluation.results, strict=True):
            yield to_check(each, result, evaluation, docs)

    return expectations


def evaluate_source(
    run_context: RunContext,
    source: str,
    table: CheckedTable,
    expected: Sequence[Expectation],
) -> tuple[Evaluation, Path]:
    """Evaluate the expectations on the rows of a source, or return the stored evaluation.

    Returns the evaluation and the folder of its Data Docs.
    """
    docs = run_context.configuration.home / "data_docs" / source / table
    return evaluate_or_reuse(run_context, table, source, expected, docs), docs


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


def evaluate_or_reuse(
    run_context: RunContext,
    table: CheckedTable,
    source: str,
    expected: Sequence[Expectation],
    docs: Path,
) -> Evaluation:
    """Return the stored evaluation if it holds for the present rows. Otherwise make a new one."""
    database, now = run_context.database, datetime.now(UTC)
    suite = Suite(f"{source} {table}", write_rows_query(table, source), expected)
    suite_fingerprint = fingerprint_suite(suite)
    rows = fingerprint_rows(database, table, source)
    stored = read_evaluation(docs)
    is_current = stored is not None and stored.is_of(suite_fingerprint, now)
    if stored is not None and is_current and stored.rows == rows:
        if not (docs / suite_report.FILE).exists():  # older releases wrote no page
            suite_report.write_report(docs, suite, stored)
        return stored
    counts = count_rows(database, table, source)
    if stored is not None and is_current and stored.holds_for(counts):
        confirmed = replace(stored, rows=rows, counts_now=counts)
        store_evaluation(docs, confirmed)
        return confirmed
    results = evaluate_suite(suite, database, docs)
    trusted = find_trusted_counts(results, counts)
    evaluation = Evaluation(suite_fingerprint, rows, run_context.run_id, now, results, trusted)
    store_evaluation(docs, evaluation)
    suite_report.write_report(docs, suite, evaluation)
    return evaluation


def to_check(
    each: Expectation, result: ExpectationResult, evaluation: Evaluation, docs: Path
) -> AssetCheckResult:
    """Return the result of an expectation as the result of a check.

    If an expectation could not be evaluated, its check fails with the severity ERROR and shows the
    error. So a reader can distinguish an error of Ragline from an error in the data. If the rows
    changed since the evaluation and its result still holds, the metadata also has the present
    counts.
    """
    now = evaluation.counts_now.get(each.name)
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
        "judged_rows_now": None if now is None else now.judged,
        "unexpected_rows_now": None if now is None else now.unexpected,
    }
    is_error = each.is_blocking or result.error is not None
    return AssetCheckResult(
        check_name=each.name,
        passed=result.passed,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={name: value for name, value in metadata.items() if value is not None},
    )
