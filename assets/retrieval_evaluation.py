"""`<collection>/retrieval_evaluation`: the live index's scores on the collection's golden set."""

from __future__ import annotations

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MaterializeResult,
    ResourceParam,
    asset,
)

from assets.keys import OWNERS, evaluation_key, group_of, index_key
from assets.tables import make_table
from ragline.configuration import CollectionSettings
from ragline.evaluation import Evaluation, evaluate, read_golden_set, record_evaluation
from ragline.lifecycle.workshop import Workshop
from ragline.search.messages import MODES
from ragline.search.searcher import Searcher

CODE_VERSION = "1"


def build_retrieval_evaluation(settings: CollectionSettings) -> AssetsDefinition:
    """The evaluation of a collection that declares a golden set, as an asset."""
    golden = settings.golden
    assert golden is not None
    key = evaluation_key(settings.name)

    @asset(
        key=key,
        deps=[index_key(settings.name)],
        group_name=group_of(settings.name),
        owners=OWNERS,
        kinds={"python"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec("reaches_thresholds", asset=key, description=_thresholds(settings))
        ],
        description=(
            f"How well searches of `{settings.name}` answer its golden set, in each mode and "
            "reranked, through the same code as the service. Scores are kept, so a fall shows."
        ),
        metadata={"dagster/uri": str(golden)},
    )
    def retrieval_evaluation(
        workshop: ResourceParam[Workshop],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        queries = read_golden_set(golden)
        searcher = Searcher(workshop.database, workshop.configuration)
        runs = [
            evaluate(searcher, settings.name, queries, mode=mode, progress=workshop.progress)
            for mode in MODES
        ]
        runs.append(
            evaluate(searcher, settings.name, queries, rerank=True, progress=workshop.progress)
        )
        with workshop.database.begin() as connection:
            for run in runs:
                record_evaluation(connection, run, workshop.run_id)
        yield MaterializeResult(metadata=_describe(runs))
        yield _check_thresholds(settings, runs[0])

    return retrieval_evaluation


def _describe(runs: list[Evaluation]) -> dict[str, object]:
    served = runs[0]
    columns = ["mode", *served.measures, "queries", "seconds"]
    rows = [
        [
            f"{run.mode}{' + rerank' if run.rerank else ''}",
            *(round(value, 4) for value in run.measures.values()),
            run.queries,
            round(run.seconds, 1),
        ]
        for run in runs
    ]
    figures = {name.replace("@", "_at_"): value for name, value in served.measures.items()}
    return {**figures, "generation": served.generation, "by_mode": make_table(columns, rows)}


def _thresholds(settings: CollectionSettings) -> str:
    wanted = ", ".join(f"{name} ≥ {value}" for name, value in settings.thresholds.items())
    return f"The hybrid search reaches: {wanted or 'no threshold is configured'}."


def _check_thresholds(settings: CollectionSettings, run: Evaluation) -> AssetCheckResult:
    missed = {
        name: round(run.measures[name], 4)
        for name, wanted in settings.thresholds.items()
        if run.measures[name] < wanted
    }
    return AssetCheckResult(
        check_name="reaches_thresholds",
        passed=not missed,
        severity=AssetCheckSeverity.ERROR,
        metadata={"missed": missed, "wanted": settings.thresholds, **run.measures},
    )
