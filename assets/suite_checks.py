"""A suite of expectations as asset checks: one check an expectation, one evaluation a run."""

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
from assets.expectations import Expected, Suite, Verdict, evaluate_suite
from assets.keys import source_key, to_dagster_name
from assets.suite_evaluations import Evaluation, keep_evaluation, name_target, read_evaluation
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings
from ragline.storage.statements import load_statement


def build_suite_checks(
    settings: SourceSettings, stage: str, expected: Sequence[Expected]
) -> AssetChecksDefinition:
    """The expectations on one stage of a source; the critical ones hold back what follows."""
    specs = check_specs(source_key(settings.name, stage), expected)

    @multi_asset_check(name=f"{to_dagster_name(settings.name)}_{stage}_expectations", specs=specs)
    def expectations(run_context: ResourceParam[RunContext]) -> Iterator[AssetCheckResult]:
        suite = Suite(f"{settings.name} {stage}", write_query(stage, settings.name), expected)
        docs = run_context.configuration.home / "data_docs" / settings.name / stage
        evaluation = evaluate_or_reuse(
            run_context, suite, read_rows(run_context, stage, settings), docs
        )
        for each, verdict in zip(expected, evaluation.verdicts, strict=True):
            yield to_check(each, verdict, evaluation, docs)

    return expectations


def check_specs(asset: AssetKey, expected: Sequence[Expected]) -> list[AssetCheckSpec]:
    """The checks of an asset, one an expectation."""
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


def write_query(stage: str, source: str) -> str:
    """The statement that gives a suite its rows, with the source's name in it.

    Great Expectations takes a query as text that begins with SELECT and binds no value; a
    source's name is made of letters, digits, - and _.
    """
    statement = load_statement(f"checks/select_{stage}").text
    return statement[statement.index("select\n") :].replace(":source", f"'{source}'")


def read_rows(run_context: RunContext, stage: str, settings: SourceSettings) -> str:
    """A fingerprint of the rows of a stage: equal as long as a suite would see the same."""
    statement = load_statement(f"checks/fingerprint_{stage}")
    with run_context.database.connect() as connection:
        return str(connection.execute(statement, {"source": settings.name}).scalar_one())


def evaluate_or_reuse(run_context: RunContext, suite: Suite, rows: str, docs: Path) -> Evaluation:
    """The last evaluation where it still holds, else a new one."""
    now = datetime.now(UTC)
    target = name_target(suite, rows)
    kept = read_evaluation(docs)
    if kept is not None and kept.holds(target, now):
        if not (docs / suite_report.FILE).exists():  # made by an older release
            suite_report.write_report(docs, suite, kept)
        return kept
    verdicts = evaluate_suite(suite, run_context.database.url, docs)
    evaluation = Evaluation(target, run_context.run_id, now, verdicts)
    keep_evaluation(docs, evaluation)
    suite_report.write_report(docs, suite, evaluation)
    return evaluation


def to_check(
    each: Expected, verdict: Verdict, evaluation: Evaluation, docs: Path
) -> AssetCheckResult:
    """A verdict as Dagster shows it.

    A check that could not be evaluated fails as an error and says so: a fault of ours must not
    look like bad data, nor like good data.
    """
    metadata = {
        "rows": verdict.rows,
        "unexpected": verdict.unexpected,
        "observed": verdict.observed,
        # A path and no link: browsers open no file from a page of a server.
        "report": MetadataValue.path(docs.resolve() / suite_report.FILE),
        "evaluated_in_run": MetadataValue.dagster_run(evaluation.run_id),
        "evaluated_at": MetadataValue.timestamp(evaluation.evaluated_at),
        "the_check_itself_failed": verdict.crash,
    }
    is_error = each.is_blocking or verdict.crash is not None
    return AssetCheckResult(
        check_name=each.name,
        passed=verdict.passed,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={name: value for name, value in metadata.items() if value is not None},
    )
