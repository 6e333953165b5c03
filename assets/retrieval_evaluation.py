"""The asset `<collection>_retrieval_evaluation`: the scores of an index on its golden set."""

# This module does not import `annotations` from `__future__`, because Dagster needs the annotation
# of `context` to be a class and not a string.

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.asset_keys import OWNERS, evaluation_key, index_key, to_dagster_name
from assets.metadata import Metadata, make_table
from ragline.confidence.stored_calibrations import FittedCalibration
from ragline.configuration import CollectionSettings
from ragline.evaluation.calibration_run import refresh_calibrations
from ragline.evaluation.evaluation import (
    Evaluation,
    evaluate,
    find_missed_thresholds,
)
from ragline.evaluation.evidence import (
    Evidence,
    GoldenOrigin,
    fingerprint_evidence,
    gather_evidence,
)
from ragline.evaluation.judged_documents import (
    UnknownDocuments,
    check_golden_set,
    find_unknown_documents,
)
from ragline.evaluation.stored_evaluations import record_evaluation
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.lifecycle.releases import use_release
from ragline.lifecycle.run_context import RunContext
from ragline.search.messages import MODES
from ragline.search.searcher import Searcher

CODE_VERSION = "1"
# A longer table makes the page of the asset slow. `ragline golden status` lists all gone
# judgements.
MAX_GONE_ROWS = 1_000


def build_retrieval_evaluation(settings: CollectionSettings) -> AssetsDefinition:
    """Build the asset of the evaluation of a collection that declares a golden set."""
    key = evaluation_key(settings.name)

    @asset(
        key=key,
        deps=[index_key(settings.name)],
        group_name=to_dagster_name(settings.name),
        owners=OWNERS,
        kinds={"python"},
        tags={"stage": "retrieval_evaluation"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec(
                "reaches_thresholds", asset=key, description=_describe_thresholds(settings)
            )
        ],
        description=(
            f"The scores of searches of `{settings.name}` on its golden set, in each search mode "
            "and with reranking. The searches use the same code as the service. If the index, the "
            "golden set and the search settings are unchanged, a run shows the last scores again."
        ),
        metadata={"dagster/uri": str(settings.golden)},
    )
    def retrieval_evaluation(
        context: AssetExecutionContext, run_context: ResourceParam[RunContext]
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        folder, golden = read_golden(settings)
        used = use_release(run_context.database, run_context.configuration, settings.name)
        released = used.collection(settings.name)
        evidence = gather_evidence(run_context.database, released, golden, GoldenOrigin(folder))
        scores = _find_scores(context, fingerprint_evidence(evidence)) or _score(
            run_context, released, golden, evidence
        )
        yield MaterializeResult(metadata=scores)
        yield check_thresholds(settings, scores)

    return retrieval_evaluation


def read_golden(settings: CollectionSettings) -> tuple[Path, GoldenSet]:
    """Return the folder of the golden set that the collection declares, and its content.

    Raises:
        ValueError: the collection declares no golden set.
    """
    folder = _golden_folder(settings)
    return folder, read_golden_set(folder)


def _golden_folder(settings: CollectionSettings) -> Path:
    if settings.golden is None:
        raise ValueError(f"the collection {settings.name} declares no golden set")
    return settings.golden


def _find_scores(context: AssetExecutionContext, fingerprint: str) -> Metadata | None:
    """Return the metadata of the last evaluation.

    Return None if there is no evaluation, or if the last one has another fingerprint.
    """
    event = context.instance.get_latest_materialization_event(context.asset_key)
    made = None if event is None else event.asset_materialization
    if made is None or made.metadata.get("fingerprint") != MetadataValue.text(fingerprint):
        return None
    return dict(made.metadata)


def _score(
    run_context: RunContext, settings: CollectionSettings, golden: GoldenSet, evidence: Evidence
) -> Metadata:
    unknown = find_unknown_documents(run_context.database, settings.name, golden)
    check_golden_set(unknown, settings.name)
    configuration = run_context.configuration.replace_collection(settings)
    searcher = Searcher(run_context.database, configuration, models=run_context.models)
    measure = partial(
        evaluate, searcher, settings.name, golden,
        generation_id=evidence.generation, progress=run_context.progress,
    )  # fmt: skip
    runs = [*(measure(mode=mode) for mode in MODES), measure(rerank=True)]
    with run_context.database.begin() as connection:
        ids = [record_evaluation(connection, run, evidence, run_context.run_id) for run in runs]
    fitted = refresh_calibrations(
        run_context.database, searcher, settings, _golden_folder(settings), evidence.generation,
        progress=run_context.progress, is_forced=True,
    )  # fmt: skip
    return {
        **describe_scores(runs),
        **describe_calibrations(fitted),
        **describe_gone(unknown, settings.name),
        **describe_evidence(evidence, ids),
        "evaluated_in_run": MetadataValue.dagster_run(run_context.run_id),
        "fingerprint": MetadataValue.text(fingerprint_evidence(evidence)),
    }


def describe_scores(runs: list[Evaluation]) -> Metadata:
    """Return the measures of the first run as numbers, and a table of all runs.

    The UI plots the numbers over time.
    """
    served = runs[0]
    columns = ["mode", *served.measures, "queries", "failed", "seconds"]
    rows = [
        [
            f"{run.mode}{' + rerank' if run.rerank else ''}",
            *(round(value, 4) for value in run.measures.values()),
            run.queries,
            run.failed,
            round(run.seconds, 1),
        ]
        for run in runs
    ]
    figures = {_plain(name): MetadataValue.float(value) for name, value in served.measures.items()}
    return {
        **figures,
        "dagster/row_count": served.queries,
        "generation": served.generation,
        "golden_version": MetadataValue.text(served.golden_hash),
        "unanswerable_queries": served.unanswerable.queries,
        "unanswerable_with_hits": len(served.unanswerable.with_hits),
        "by_mode": make_table(columns, rows),
    }


def describe_evidence(evidence: Evidence, evaluation_ids: Sequence[int]) -> Metadata:
    """Return the ids of the stored evaluations and their evidence as metadata.

    `ragline reproduce` takes such an id. The evidence contains all inputs that the scores depend
    on.
    """
    return {
        "evaluations": MetadataValue.json(list(evaluation_ids)),
        "evidence": MetadataValue.json(
            asdict(evidence) | {"parser_fingerprints": list(evidence.parser_fingerprints)}
        ),
    }


def describe_calibrations(fitted: list[FittedCalibration]) -> Metadata:
    """Return a table of the calibrations: one row for each kind of search."""
    columns = [
        "kind",
        "calibration error",
        "Brier",
        "Brier of a constant",
        "hits",
        "relevant",
        "why",
    ]
    names = ("expected_calibration_error", "brier", "base_brier", "hits", "relevant")
    rows = [
        [one.kind.label, *(_round(one.figures.get(name)) for name in names), one.reason or ""]
        for one in fitted
    ]
    return {"confidence": make_table(columns, rows)}


def _round(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)


def describe_gone(unknown: UnknownDocuments, collection: str) -> Metadata:
    """Return the number of gone judgements, and a table of them if there are any."""
    counts = {
        "unknown_documents": len(unknown.document_ids),
        "gone_judgements": len(unknown.judgements),
    }
    if not unknown.judgements:
        return counts
    rows = [
        [gone.query_id, gone.source or "", gone.document_id, gone.grade, gone.reason]
        for gone in unknown.judgements[:MAX_GONE_ROWS]
    ]
    columns = ["query", "source", "document", "grade", "reason"]
    return {
        **counts,
        "lacking": unknown.describe(collection),
        "gone_by_name": make_table(columns, rows),
    }


def check_thresholds(settings: CollectionSettings, scores: Metadata) -> AssetCheckResult:
    """Return the result of the check that the hybrid search reaches the configured thresholds."""
    reached = {name: _read(scores[_plain(name)]) for name in settings.thresholds}
    missed = find_missed_thresholds(reached, settings.thresholds)
    return AssetCheckResult(
        check_name="reaches_thresholds",
        passed=not missed,
        severity=AssetCheckSeverity.ERROR,
        metadata={"missed": missed, "reached": reached, "wanted": dict(settings.thresholds)},
    )


def _plain(measure: str) -> str:
    return measure.replace("@", "_at_")


def _read(value: object) -> float:
    number = value.value if isinstance(value, MetadataValue) else value
    return round(float(str(number)), 4)


def _describe_thresholds(settings: CollectionSettings) -> str:
    wanted = ", ".join(f"{name} ≥ {value}" for name, value in settings.thresholds.items())
    return (
        f"The hybrid search reaches these thresholds: {wanted}."
        if wanted
        else "The configuration sets no thresholds, so this check passes."
    )
