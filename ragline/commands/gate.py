"""`ragline gate`: judges a candidate against the live generation of a collection."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.command_line.golden_options import split_option
from ragline.command_line.output_files import OutputFile, write_output
from ragline.commands import configured, json_option, print_json
from ragline.counts import count
from ragline.errors import ConfigurationError

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.gate.report import Comparison, FallenQuery, GateReport

STATUSES = {"passed": 0, "refused": 1, "undecidable": 2}
SHOWN_FALLEN = 5
SHOWN_DOCUMENTS = 5


@click.command()
@click.argument("collection")
@click.option(
    "--candidate",
    "candidate_id",
    type=int,
    help="Id of the generation to judge. Default: the newest complete generation in the state "
    "`candidate`.",
)
@click.option(
    "--golden",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the golden set. Default: the golden set in the configuration.",
)
@split_option
@click.option("--junit", type=OutputFile(), help="Also write the report to FILE as JUnit XML.")
@click.option("--markdown", type=OutputFile(), help="Also write the report to FILE as Markdown.")
@click.option(
    "--by",
    "asked_by",
    help="Name of the person who judges, for the report. Default: the user of the operating "
    "system.",
)
@json_option
@configured
def gate(
    configuration: Configuration,
    collection: str,
    candidate_id: int | None,
    golden: Path | None,
    split: str,
    junit: Path | None,
    markdown: Path | None,
    *,
    asked_by: str | None,
    as_json: bool,
) -> None:
    """Judge a candidate of COLLECTION against its live generation, and store the report.

    The gate searches both generations with the queries of the golden set. Without a candidate, it
    compares changed search settings with the settings of the release. No generation changes its
    state. The exit status is 0 if the candidate passed, 1 if it is refused, and 2 if the gate
    cannot decide.
    """
    try:
        report, report_id = _judge(
            configuration, collection, candidate_id, golden, split, asked_by or getpass.getuser()
        )
        _write_files(report, junit, markdown)
        if as_json:
            print_json({"report_id": report_id, **asdict(report)})
        else:
            _print_report(report, report_id)
    except (ConfigurationError, click.ClickException, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001  the status 1 would mean that the candidate is refused
        from ragline.lifecycle.index_report import describe_error

        click.echo(describe_error(error), err=True)
        sys.exit(2)
    sys.exit(STATUSES[report.verdict])


def _judge(
    configuration: Configuration,
    collection: str,
    candidate_id: int | None,
    golden: Path | None,
    split: str,
    asked_by: str,
) -> tuple[GateReport, int]:
    """Judge the candidate; return the report and its id."""
    configuration.collection(collection)
    from ragline.gate.judgement import judge_candidate
    from ragline.gate.stored_reports import store_report
    from ragline.progress import TerminalProgress
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        report = judge_candidate(
            database, configuration, collection, candidate_id,
            golden_folder=golden, split=split, progress=TerminalProgress(),
        )  # fmt: skip
        return report, store_report(database, report, asked_by)


def _write_files(report: GateReport, junit: Path | None, markdown: Path | None) -> None:
    from ragline.gate.junit import write_junit
    from ragline.gate.markdown import write_markdown

    for path, write in ((junit, write_junit), (markdown, write_markdown)):
        if path is not None:
            write_output(path, write(report))


def _print_report(report: GateReport, report_id: int) -> None:
    for check in report.checks:
        click.echo(f"{check.outcome:<10}{check.name}: {check.reason}")
    for comparison in report.measures:
        click.echo(_describe_measure(comparison))
    if report.fallen:
        click.echo("queries that fell most, with their first documents (* is relevant):")
    for fallen in report.fallen[:SHOWN_FALLEN]:
        _print_fallen(fallen)
    if len(report.fallen) > SHOWN_FALLEN:
        more = count(len(report.fallen) - SHOWN_FALLEN, "more query", "more queries")
        click.echo(f"{more} fell; --json lists all")
    live = (
        "no live generation"
        if report.live is None
        else f"{report.live.state} generation {report.live.id}"
    )
    if report.changed_settings:
        click.echo(f"changed search settings: {', '.join(report.changed_settings)}")
    click.echo(
        f"{report.collection}: generation {report.candidate.id} against {live}: {report.verdict} "
        f"({report.queries:,} queries, seed {report.seed}, {report.seconds:.1f} s), report "
        f"{report_id}"
    )


def _describe_measure(comparison: Comparison) -> str:
    detectable = comparison.detectable_fall
    seen = "" if detectable is None else f", can detect a fall of {detectable:.4f}"
    from ragline.gate.markdown import describe_threshold

    return (
        f"{comparison.measure:<10} {comparison.live:.4f} live, {comparison.candidate:.4f} "
        f"candidate{describe_threshold(comparison)}, difference {comparison.difference:+.4f} "
        f"({comparison.low:+.4f} to {comparison.high:+.4f}), "
        f"{count(comparison.fell, 'query', 'queries')} fell and "
        f"{comparison.rose:,} rose{seen}"
    )


def _print_fallen(fallen: FallenQuery) -> None:
    click.echo(
        f"fell {fallen.id} {fallen.query!r}: "
        f"{'reranked, ' if fallen.is_reranked else ''}nDCG@10 {fallen.live_ndcg:.4f} live, "
        f"{fallen.candidate_ndcg:.4f} candidate"
    )
    for name, documents in (("live", fallen.live), ("candidate", fallen.candidate)):
        shown = ", ".join(
            f"{one.document_id}{'*' if one.grade else ''}" for one in documents[:SHOWN_DOCUMENTS]
        )
        click.echo(f"  {name:<10}{shown or 'nothing'}")
