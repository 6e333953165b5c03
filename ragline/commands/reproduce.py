"""`ragline reproduce`: runs a stored evaluation or a gate again and compares the figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.counts import count
from ragline.errors import ConfigurationError
from ragline.storage import MAX_ROW_ID

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.evaluation.reproduction import ComparedFigure, ComparedQuery, Reproduction
    from ragline.gate.reproduction import GateReproduction

GATE = "gate:"
STATUSES = {"agrees": 0, "differs": 1, "impossible": 2}
SHOWN_QUERIES = 10
EVALUATION_ID = click.IntRange(1, MAX_ROW_ID)


@click.command()
@click.argument("target", metavar="EVALUATION|gate:ID")
@click.option(
    "--golden",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the golden set. Default for an evaluation: the folder that it used, then the "
    "golden set in the configuration. Default for a gate report: the golden set in the "
    "configuration.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Largest difference of a figure that counts as equal. Default: 0.00005, which is half of "
    "the last printed digit.",
)
@json_option
@configured
def reproduce(
    configuration: Configuration,
    target: str,
    *,
    golden: Path | None,
    tolerance: float | None,
    as_json: bool,
) -> None:
    """Run the stored EVALUATION or the gate report ID again, and compare the figures.

    EVALUATION is an id that `ragline evaluations` shows. `gate:ID` is a report that `ragline
    generation show` lists. The generation, the golden set version, the settings and the seed must
    be the same. For an evaluation, the output also names the queries whose figures differ. The exit
    status is 0 if the figures agree, 1 if a figure differs, and 2 if the run is not possible.
    """
    number = EVALUATION_ID(target.removeprefix(GATE))
    try:
        is_gate = target.startswith(GATE)
        result = _reproduce(configuration, number, golden, tolerance, is_gate=is_gate)
    except (ConfigurationError, click.ClickException, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001  the status 1 would mean that a figure differs
        from ragline.lifecycle.index_report import describe_error

        click.echo(describe_error(error), err=True)
        sys.exit(2)
    if as_json:
        print_json(result)
    else:
        _print(result)
    sys.exit(STATUSES[result.outcome])


def _reproduce(
    configuration: Configuration,
    number: int,
    golden: Path | None,
    tolerance: float | None,
    *,
    is_gate: bool,
) -> Reproduction | GateReproduction:
    from ragline.evaluation.reproduction import TOLERANCE, reproduce_evaluation
    from ragline.evaluation.stored_evaluations import read_evaluation
    from ragline.gate.reproduction import reproduce_report
    from ragline.gate.stored_reports import read_report
    from ragline.progress import TerminalProgress
    from ragline.storage.database import open_database

    limit = TOLERANCE if tolerance is None else tolerance
    with open_database(configuration) as database:
        if is_gate:
            return reproduce_report(
                database, configuration, read_report(database, number),
                golden_folder=golden, tolerance=limit, progress=TerminalProgress(),
            )  # fmt: skip
        return reproduce_evaluation(
            database, configuration, read_evaluation(database, number),
            golden_folder=golden, tolerance=limit, progress=TerminalProgress(),
        )  # fmt: skip


def _print(result: Reproduction | GateReproduction) -> None:
    for figure in result.figures:
        click.echo(_describe_figure(figure, result.tolerance))
    _print_queries(result.queries or ())
    for change in result.changes:
        click.echo(f"changed: {change.name}: {change.then} then, {change.now} now")
    head = result.title
    if result.outcome == "impossible":
        click.echo(f"{head}: cannot be run again. {' '.join(result.obstacles)}")
    elif result.outcome == "agrees":
        click.echo(f"{head}: the figures agree within {result.tolerance:g}")
    else:
        why = (
            "see what changed"
            if result.changes
            else "everything that is stored is unchanged; on another processor, equal scores can "
            "have another order"
        )
        click.echo(f"{head}: a figure differs by more than {result.tolerance:g}; {why}")


def _print_queries(queries: Sequence[ComparedQuery]) -> None:
    for one in queries[:SHOWN_QUERIES]:
        figures = (
            f"{figure.name} {_write(figure.then)} then, {_write(figure.now)} now"
            for figure in one.figures
        )
        click.echo(f"query {one.id} {one.query!r}: {'; '.join(figures)}")
    if len(queries) > SHOWN_QUERIES:
        more = count(len(queries) - SHOWN_QUERIES, "more query", "more queries")
        click.echo(f"{more} with different figures; --json lists all")


def _describe_figure(figure: ComparedFigure, tolerance: float) -> str:
    mark = "" if figure.agrees(tolerance) else ", differs"
    return f"{figure.name:<23}{_write(figure.then)} then, {_write(figure.now)} now{mark}"


def _write(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, int) else f"{value:.4f}"
