"""`ragline eval`: measures a collection on a golden set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ragline.command_line.golden_options import split_option
from ragline.command_line.search_options import mode_option, rerank_option
from ragline.commands import configured, json_option, print_json
from ragline.commands.generation import GENERATION_ID
from ragline.counts import count
from ragline.errors import ConfigurationError
from ragline.search.messages import Mode

if TYPE_CHECKING:
    from ragline.configuration import Configuration
    from ragline.evaluation.evaluation import Evaluation
    from ragline.evaluation.evidence import Evidence, GoldenOrigin
    from ragline.evaluation.judged_documents import UnknownDocuments
    from ragline.golden_set import GoldenSet
    from ragline.storage.database import Database

SHOWN_MISSES = 20
SHOWN_RELEVANT = 3
SHOWN_HASH_DIGITS = 12


@click.command(name="eval")
@click.argument("collection")
@click.option(
    "--golden",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the golden set in the BEIR layout, with queries.jsonl and qrels/SPLIT.tsv. "
    "Default: the golden set in the configuration.",
)
@click.option(
    "--generation",
    "generation_id",
    type=GENERATION_ID,
    help="Id of the generation to measure: the live one, a candidate or a retired one. The live "
    "one is searched with the settings of its release, and another one with those of the file. "
    "Default: the live generation.",
)
@split_option
@mode_option
@rerank_option
@json_option
@configured
def evaluate_command(
    configuration: Configuration,
    collection: str,
    golden: Path | None,
    generation_id: int | None,
    split: str,
    mode: Mode,
    *,
    rerank: bool,
    as_json: bool,
) -> None:
    """Measure COLLECTION on the queries of a golden set: nDCG@10, recall and MRR.

    The evaluation is stored. `ragline reproduce` runs it again.
    """
    from ragline.evaluation.evidence import GoldenOrigin
    from ragline.golden_set import read_golden_set

    folder = golden or _configured_golden(configuration, collection)
    queries, origin = read_golden_set(folder, split), GoldenOrigin(folder, split)
    measured = _measure(
        configuration, collection, queries, origin, generation_id, mode=mode, rerank=rerank
    )
    _warn_of_unknown(measured.unknown, collection)
    if as_json:
        print_json(_flatten(measured))
    else:
        _print_evaluation(measured)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A stored evaluation with its id, its evidence, and the judged documents that are gone."""

    id: int
    evaluation: Evaluation
    evidence: Evidence
    unknown: UnknownDocuments


def _measure(
    configuration: Configuration,
    collection: str,
    golden: GoldenSet,
    origin: GoldenOrigin,
    generation_id: int | None,
    *,
    mode: Mode,
    rerank: bool,
) -> _Measured:
    from ragline.evaluation.evaluation import evaluate
    from ragline.evaluation.evidence import choose_generation, gather_evidence
    from ragline.evaluation.stored_evaluations import record_evaluation
    from ragline.progress import TerminalProgress
    from ragline.search.searcher import Searcher
    from ragline.storage.database import open_database

    with open_database(configuration) as database:
        # The index is checked first: without an index, the later checks report a less clear error.
        chosen, used = choose_generation(database, configuration, collection, generation_id)
        searcher = Searcher(database, used)
        unknown = _find_unknown(database, collection, golden)
        evidence = gather_evidence(database, searcher.settings(collection), golden, origin, chosen)
        measure = partial(evaluate, searcher, collection, golden, progress=TerminalProgress())
        evaluation = measure(mode=mode, rerank=rerank, generation_id=chosen)
        with database.begin() as connection:
            stored = record_evaluation(connection, evaluation, evidence, run_id=None)
        return _Measured(stored, evaluation, evidence, unknown)


def _find_unknown(database: Database, collection: str, golden: GoldenSet) -> UnknownDocuments:
    """Find the judged documents that the collection lacks. Refuse a golden set if it lacks all."""
    from ragline.evaluation.judged_documents import check_golden_set, find_unknown_documents

    unknown = find_unknown_documents(database, collection, golden)
    check_golden_set(unknown, collection)
    return unknown


def _warn_of_unknown(unknown: UnknownDocuments, collection: str) -> None:
    if unknown.document_ids:
        warning = unknown.describe(collection)
        click.echo(f"warning: {warning}; --json lists the judgements", err=True)


def _configured_golden(configuration: Configuration, collection: str) -> Path:
    """Return the folder of the golden set that the configuration names for a collection.

    Raises:
        UnknownCollectionError: there is no collection with this name.
        ConfigurationError: the collection has no golden set.
    """
    settings = configuration.collection(collection)
    if settings.golden is None:
        raise ConfigurationError(
            f"collection {collection} has no golden set; add golden: FOLDER to it, or call "
            f"`ragline eval {collection} --golden FOLDER`",
            path=configuration.path,
            line=configuration.line_of("collections", collection),
        )
    return settings.golden


def _flatten(measured: _Measured) -> dict[str, object]:
    return {
        "id": measured.id,
        **flatten_evaluation(measured.evaluation),
        "unknown_documents": measured.unknown.document_ids,
        "gone_judgements": [asdict(gone) for gone in measured.unknown.judgements],
        "split": measured.evidence.split,
        "evidence": asdict(measured.evidence),
    }


def flatten_evaluation(evaluation: Evaluation) -> dict[str, object]:
    """Return an evaluation in the form of the JSON output: measures, counts, missed queries.

    The queries without an answer have counts of their own. No other figure counts them.
    """
    return {
        "collection": evaluation.collection,
        "generation": evaluation.generation,
        "mode": evaluation.mode,
        "rerank": evaluation.rerank,
        **evaluation.measures,
        "queries": evaluation.queries,
        "failed": evaluation.failed,
        "seconds": evaluation.seconds,
        "missed_queries": [asdict(missed) for missed in evaluation.missed],
        "golden_version": evaluation.golden_hash,
        "unanswerable": {
            "queries": evaluation.unanswerable.queries,
            "with_hits": len(evaluation.unanswerable.with_hits),
            "failed": evaluation.unanswerable.failed,
        },
        "answered_unanswerable": [asdict(one) for one in evaluation.unanswerable.with_hits],
    }


def _print_evaluation(measured: _Measured) -> None:
    evaluation = measured.evaluation
    for missed in evaluation.missed[:SHOWN_MISSES]:
        wanted = ", ".join(missed.relevant[:SHOWN_RELEVANT])
        click.echo(
            f"missed {missed.id} {missed.query!r}: expected {wanted}; the first hit was "
            f"{missed.first_found or 'nothing'}"
        )
    if len(evaluation.missed) > SHOWN_MISSES:
        click.echo(f"missed {len(evaluation.missed) - SHOWN_MISSES:,} more; --json lists them all")
    for name, value in evaluation.measures.items():
        click.echo(f"{name:<11}{value:.4f}")
    click.echo(
        f"{count(evaluation.queries, 'query', 'queries')} ({evaluation.failed} failed) in "
        f"{evaluation.seconds:.1f} s, "
        f"mode {evaluation.mode}{', reranked' if evaluation.rerank else ''}, "
        f"generation {evaluation.generation}, "
        f"golden set {evaluation.golden_hash[:SHOWN_HASH_DIGITS]}"
    )
    click.echo(f"evaluation {measured.id}, code {measured.evidence.code_version}")
    without = evaluation.unanswerable
    if without.queries:
        click.echo(
            f"{count(without.queries, 'query', 'queries')} without an answer ({without.failed} "
            f"failed): {len(without.with_hits)} got hits"
        )
