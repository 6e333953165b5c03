"""`ragline eval`: retrieval quality of a collection against a golden set."""

from __future__ import annotations

from pathlib import Path

import click

from ragline.commands import configured, json_option, print_json
from ragline.configuration import Configuration
from ragline.evaluation import Evaluation, evaluate
from ragline.golden_set import read_golden_set
from ragline.progress import TerminalProgress
from ragline.search.messages import MODES, Mode
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database


@click.command(name="eval")
@click.argument("collection")
@click.option(
    "--golden",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder in the BEIR layout: queries.jsonl and qrels/SPLIT.tsv.",
)
@click.option("--split", default="test", show_default=True)
@click.option("--mode", default="hybrid", show_default=True, type=click.Choice(MODES))
@click.option("--rerank", is_flag=True, help="Reorder the first hits by late interaction.")
@json_option
@configured
def evaluate_command(
    configuration: Configuration,
    collection: str,
    golden: Path,
    split: str,
    mode: Mode,
    *,
    rerank: bool,
    as_json: bool,
) -> None:
    """Score COLLECTION on the queries of a golden set."""
    queries = read_golden_set(golden, split)
    with open_database(configuration) as database:
        searcher = Searcher(database, configuration)
        evaluation = evaluate(
            searcher, collection, queries, mode=mode, rerank=rerank, progress=TerminalProgress()
        )
    if as_json:
        print_json(flatten_evaluation(evaluation))
    else:
        _print_evaluation(evaluation)


def flatten_evaluation(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as the contract shows it: the measures beside the counts."""
    return {
        "collection": evaluation.collection,
        "generation": evaluation.generation,
        "mode": evaluation.mode,
        "rerank": evaluation.rerank,
        **evaluation.measures,
        "queries": evaluation.queries,
        "failed": evaluation.failed,
        "seconds": evaluation.seconds,
    }


def _print_evaluation(evaluation: Evaluation) -> None:
    for name, value in evaluation.measures.items():
        click.echo(f"{name:<11}{value:.4f}")
    click.echo(
        f"{evaluation.queries} queries ({evaluation.failed} failed) in {evaluation.seconds:.1f} s, "
        f"mode {evaluation.mode}{', reranked' if evaluation.rerank else ''}, "
        f"generation {evaluation.generation}"
    )
