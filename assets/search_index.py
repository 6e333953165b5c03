"""The asset `<collection>_search_index`: the live generation of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MarkdownMetadataValue,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.asset_keys import OWNERS, index_key, source_key, to_dagster_name
from assets.metadata import Metadata
from ragline.configuration import CollectionSettings
from ragline.gate.publication import publish_collection
from ragline.index_card.gathering import make_card
from ragline.index_card.markdown import write_markdown
from ragline.lifecycle.index_report import IndexReport
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"
IS_LIVE = "serves_the_configured_generation"


def build_search_index(
    settings: CollectionSettings, sources: Sequence[SourceSettings]
) -> AssetsDefinition:
    """Build the asset of a collection's stage `publish`."""
    key = index_key(settings.name)

    @asset(
        key=key,
        deps=[source_key(source.name, "entries") for source in sources],
        group_name=to_dagster_name(settings.name),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "publish"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec(
                IS_LIVE,
                asset=key,
                description="Searches use the generation that the configuration describes, or an "
                "operator must decide about it.",
            )
        ],
        description=(
            f"The live index of the collection `{settings.name}`. A run promotes a new generation "
            "when it contains every readable document and the blocking checks on the entries "
            "pass. With `build: manual`, an operator promotes it. Until then, searches use the "
            "previous generation, and it receives changes. This is also the case if the settings "
            "are invalid or a build fails."
        ),
    )
    def search_index(
        run_context: ResourceParam[RunContext],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        report = publish_collection(run_context, settings.name)
        yield MaterializeResult(
            metadata={
                **describe_index(report),
                "embedding_model": settings.embedding_model,
                "index_card": write_card(run_context, settings.name, report.generation),
            }
        )
        yield check_index(report)
        if report.error is not None:
            # The results come before the error, because the changes of the live generation are
            # published even if the new generation failed.
            raise report.error

    return search_index


def write_card(
    run_context: RunContext, collection: str, generation_id: int
) -> MarkdownMetadataValue:
    """Return the index card of a generation, as Markdown that the UI shows."""
    card = make_card(run_context.database, run_context.configuration, collection, generation_id)
    return MetadataValue.md(write_markdown(card))


def describe_index(report: IndexReport) -> Metadata:
    """Return the report of the stage `publish` as metadata of the asset's materialization."""
    return {
        "dagster/row_count": report.entries,
        "documents": report.documents,
        "generation": report.generation,
        "is_live": report.is_live,
        "was_promoted": report.was_promoted,
        **({"held_back_because": report.reason} if report.reason else {}),
        **({"notice": report.notice} if report.notice else {}),
        "vector_index": "hnsw" if report.has_vector_index else "exact scan",
        "lexemes_per_entry": round(report.average_length, 1),
        "dropped_generations": len(report.dropped_generations),
        "seconds": round(report.seconds, 3),
    }


def check_index(report: IndexReport) -> AssetCheckResult:
    """Return the result of the check that searches use the configured generation.

    The check also passes if an operator must decide first. The notice then says what to decide.
    """
    return AssetCheckResult(
        check_name=IS_LIVE,
        passed=report.is_live or (report.notice is not None and report.error is None),
        severity=AssetCheckSeverity.WARN,
        metadata={
            "generation": report.generation,
            **({"held_back_because": report.reason} if report.reason else {}),
            **({"notice": report.notice} if report.notice else {}),
        },
    )
