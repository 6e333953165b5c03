"""The asset `<collection>_candidate`: the generation that the settings ask for, and its gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.asset_keys import OWNERS, candidate_key, source_key, to_dagster_name
from assets.metadata import Metadata
from ragline.configuration import CollectionSettings
from ragline.gate.judgement import judge_candidate
from ragline.gate.markdown import write_markdown
from ragline.gate.report import GateReport
from ragline.gate.stored_reports import store_report
from ragline.lifecycle.generation_builds import BuildReport, build_generation
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.open_generations import name_run
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"
# The names of the checks of the gate, with their descriptions in Dagster's UI.
GATE_CHECKS = {
    "sync_proof": "The entries of the candidate agree with the ledger.",
    "index_recall": "The vector index of the candidate finds the nearest entries.",
    "latency": "Searches in the candidate are not much slower than in the live generation.",
    "golden_set": "The golden set has enough queries for a decision.",
    "ndcg@10": "The mean nDCG@10 does not fall by more than the margin.",
    "recall@10": "The mean recall@10 does not fall by more than the margin.",
    "mrr@10": "The mean MRR@10 does not fall by more than the margin.",
    "reranking": "The mean scores of reranked searches do not fall by more than the margin.",
    "slices": "nDCG@10 does not fall by more than the margin in a slice of the queries.",
    "thresholds": "The means of the candidate reach the thresholds of the collection.",
    "abstention": "The candidate answers and stays silent as well as the live generation.",
    "shadow_reads": "The candidate answers real searches without errors and without delay.",
}
# Without a golden set, the gate makes only the checks of the index.
INDEX_CHECKS = ("sync_proof", "index_recall")


def build_candidate(
    settings: CollectionSettings, sources: Sequence[SourceSettings]
) -> AssetsDefinition:
    """Build the asset of a collection's candidate. A person materializes it. A sync does not."""
    key = candidate_key(settings.name)
    checks = tuple(GATE_CHECKS) if settings.golden is not None else INDEX_CHECKS

    @asset(
        key=key,
        group_name=to_dagster_name(settings.name),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "candidate"},
        code_version=CODE_VERSION,
        deps=[source_key(source.name, "documents") for source in sources],
        check_specs=[
            AssetCheckSpec(name_check(name), asset=key, description=GATE_CHECKS[name])
            for name in checks
        ],
        description=(
            f"The generation that the settings of the collection `{settings.name}` ask for. A run "
            "builds it from the stored parses, as `ragline generation build` does, judges it by "
            "the gate, and stores the report. It promotes nothing. The checks are those of the "
            "gate. If the live generation has these settings, a run does nothing."
        ),
    )
    def candidate(
        run_context: ResourceParam[RunContext],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        decision = Decision(name_run(run_context), "built in Dagster")
        built = build_generation(run_context, settings.name, decision)
        judged, report_id = _judge(run_context, settings.name, built)
        yield MaterializeResult(metadata={**describe_build(built), **_describe(judged, report_id)})
        yield from check_candidate(checks, judged)

    return candidate


def name_check(name: str) -> str:
    """Return the name of a check of the gate in Dagster's form."""
    return name.replace("@", "_at_")


def _judge(
    run_context: RunContext, collection: str, built: BuildReport
) -> tuple[GateReport | None, int | None]:
    """Run the gate on a built candidate. Return the report and the id of the stored report.

    For a generation in another state, the gate does not run and both values are None.
    """
    if built.state != "candidate":
        return None, None
    judged = judge_candidate(
        run_context.database,
        run_context.configuration,
        collection,
        built.generation,
        models=run_context.models,
        progress=run_context.progress,
    )
    return judged, store_report(run_context.database, judged, name_run(run_context))


def describe_build(built: BuildReport) -> Metadata:
    """Return the report of a build as metadata of the asset's materialization."""
    return {
        "dagster/row_count": built.entries_inserted,
        "generation": built.generation,
        "state": built.state,
        "chunks_made": built.chunks_made,
        "embeddings_made": built.embeddings_made,
        "seconds": round(built.seconds, 3),
    }


def _describe(judged: GateReport | None, report_id: int | None) -> Metadata:
    if judged is None or report_id is None:
        return {}
    return {
        "gate_report": report_id,
        "verdict": judged.verdict,
        "report": MetadataValue.md(write_markdown(judged)),
    }


def check_candidate(checks: Sequence[str], judged: GateReport | None) -> Iterator[AssetCheckResult]:
    """Return a result for each name in `checks`, from the gate's report.

    If the gate did not make a check, the check passes only if the verdict is `passed` or if the
    gate did not run (`judged` is None).
    """
    made = {} if judged is None else {check.name: check for check in judged.checks}
    is_passed = judged is None or judged.verdict == "passed"
    for name in checks:
        check = made.get(name)
        outcome = "not made" if check is None else check.outcome
        yield AssetCheckResult(
            check_name=name_check(name),
            passed=is_passed if check is None else check.outcome == "passed",
            severity=AssetCheckSeverity.WARN,
            metadata={
                "outcome": outcome,
                **({} if check is None else {"reason": check.reason}),
            },
        )
