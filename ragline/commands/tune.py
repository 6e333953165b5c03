"""`ragline tune`: proposes search settings for a collection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.command_line.output_files import OutputFile, write_output
from ragline.commands import configured, json_option, print_json

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.tuning.report import Stage, TuningReport

DEFAULT_SEED = 20_261_129


@click.command()
@click.argument("collection")
@click.option(
    "--golden",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the golden set. Default: the golden set of the collection.",
)
@click.option(
    "--output",
    type=OutputFile(),
    help="Also write the proposed settings to FILE as YAML, to review them.",
)
@click.option(
    "--no-rerank",
    is_flag=True,
    help="Do not tune the settings of reranked searches. Without the option, the reranker scores "
    "the first candidates of each query, which takes most of the time.",
)
@click.option(
    "--chunking",
    "should_chunk",
    is_flag=True,
    help="Also tune the chunk size and the overlap. Up to nine indexes are built in a scratch "
    "database. They are dropped afterwards.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=5,
    show_default=True,
    help="Number of parts for the cross-validation.",
)
@click.option(
    "--trials",
    type=click.IntRange(1, 1000),
    default=60,
    show_default=True,
    help="Number of settings that are tried for each choice.",
)
@click.option(
    "--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Seed of the choice."
)
@json_option
@configured
def tune(
    configuration: Configuration,
    collection: str,
    golden: Path | None,
    output: Path | None,
    *,
    no_rerank: bool,
    should_chunk: bool,
    as_json: bool,
    **budget: int,
) -> None:
    """Propose search settings for COLLECTION. Nothing is changed.

    The settings are chosen on the split `tune` of the golden set, and measured on the splits `gate`
    and `holdout`.
    """
    folder = golden or configuration.golden_folder(collection)
    from ragline.tuning.proposal import write_proposal

    stages: list[tuple[Stage, bool]] = [
        ("search", True), ("rerank", not no_rerank), ("chunking", should_chunk),
    ]  # fmt: skip
    chosen = tuple(name for name, is_chosen in stages if is_chosen)
    report = _tune(configuration, collection, folder, budget, chosen)
    if output is not None:
        write_output(output, write_proposal(report, configuration.path))
    if as_json:
        print_json(asdict(report) | {"proposed": [asdict(one) for one in report.proposed]})
    else:
        _print_report(report, output)


def _tune(
    configuration: Configuration,
    collection: str,
    folder: Path,
    budget: dict[str, int],
    stages: tuple[Stage, ...],
) -> TuningReport:
    from ragline.progress import TerminalProgress
    from ragline.storage.database import open_database
    from ragline.tuning.choice import Budget
    from ragline.tuning.tuning import tune_collection

    with open_database(configuration) as database:
        return tune_collection(
            database, configuration, collection, folder, budget=Budget(**budget),
            stages=stages, progress=TerminalProgress(),
        )  # fmt: skip


def _print_report(report: TuningReport, output: Path | None) -> None:
    from ragline.tuning.proposal import describe_tuning

    for line in describe_tuning(report):
        click.echo(line)
    proposed = ", ".join(f"{one.setting}: {one.chosen}" for one in report.proposed)
    decided = f"propose {proposed}" if proposed else "keep your settings"
    written = "" if output is None else f"; written to {output}"
    click.echo(f"{report.collection}: {decided} ({report.seconds:.1f} s){written}")
