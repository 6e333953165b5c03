"""`ragline calibrate`: fits the confidence of hits to the golden set of a collection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.commands import configured, json_option, print_json
from ragline.commands.generation import GENERATION_ID
from ragline.errors import ConfigurationError

if TYPE_CHECKING:
    from ragline.confidence.stored_calibrations import FittedCalibration
    from ragline.configuration import Configuration


@click.command()
@click.argument("collection")
@click.option(
    "--generation",
    "generation_id",
    type=GENERATION_ID,
    help="Id of the generation to calibrate. Default: the live generation.",
)
@click.option(
    "--golden",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the golden set. Default: the golden set in the configuration.",
)
@json_option
@configured
def calibrate(
    configuration: Configuration,
    collection: str,
    generation_id: int | None,
    golden: Path | None,
    *,
    as_json: bool,
) -> None:
    """Fit the confidence of hits to the golden set of COLLECTION, and store the result.

    The queries of the split `tune` are searched in each mode, with and without reranking. The split
    needs at least 20 queries, which a golden set of about 40 queries has. Searches use the new
    confidence at once.
    """
    settings = configuration.collection(collection)
    folder = golden or settings.golden
    if folder is None:
        raise ConfigurationError(
            f"collection {collection} has no golden set; add golden: FOLDER to it, or call "
            f"`ragline calibrate {collection} --golden FOLDER`",
            path=configuration.path,
            line=configuration.line_of("collections", collection),
        )
    generation, fitted = _calibrate(configuration, collection, folder, generation_id)
    if as_json:
        print_json({"generation": generation, "calibrations": [asdict(one) for one in fitted]})
    else:
        for line in describe_fit(collection, generation, fitted):
            click.echo(line)


def _calibrate(
    configuration: Configuration, collection: str, folder: Path, generation_id: int | None
) -> tuple[int, list[FittedCalibration]]:
    from ragline.evaluation.calibration_run import refresh_calibrations
    from ragline.evaluation.evidence import choose_generation
    from ragline.progress import TerminalProgress
    from ragline.search.searcher import Searcher
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        chosen, used = choose_generation(database, configuration, collection, generation_id)
        fitted = refresh_calibrations(
            database, Searcher(database, used), used.collection(collection), folder, chosen,
            progress=TerminalProgress(), is_forced=True,
        )  # fmt: skip
    return chosen, fitted


def describe_fit(collection: str, generation: int, fitted: list[FittedCalibration]) -> list[str]:
    """Return the lines about a fit. A reason that holds for each kind of search is stated once."""
    reasons = {one.reason for one in fitted if one.calibration is None}
    if len(reasons) == 1 and all(one.calibration is None for one in fitted):
        return [
            f"{collection}: generation {generation} has no calibration, because {reasons.pop()}"
        ]
    return [*map(describe_calibration, fitted), f"{collection}: generation {generation}"]


def describe_calibration(fitted: FittedCalibration) -> str:
    """Describe the result of a fit in one line, with its reliability."""
    name = f"{fitted.kind.label:<19}"
    if fitted.calibration is None:
        return f"{name} no calibration, because {fitted.reason}"
    figures = fitted.figures
    return (
        f"{name} expected calibration error {figures['expected_calibration_error']:.3f}, Brier "
        f"score {figures['brier']:.3f} ({figures['base_brier']:.3f} with a constant confidence), "
        f"{figures['relevant']:,} of {figures['hits']:,} hits are relevant"
    )
