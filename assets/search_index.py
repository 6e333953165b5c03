"""`<collection>/search_index`: the generation that searches of a collection see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MaterializeResult,
    ResourceParam,
    asset,
)
from dagster._core.definitions.metadata import RawMetadataMapping

from assets.keys import OWNERS, group_of, index_key, source_key
from ragline.configuration import CollectionSettings
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import IndexReport, publish_index
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"
IS_LIVE = "serves_the_configured_generation"


def build_search_index(
    settings: CollectionSettings, sources: Sequence[SourceSettings]
) -> AssetsDefinition:
    """What the entries of a collection's sources meet in, as an asset."""
    key = index_key(settings.name)

    @asset(
        key=key,
        deps=[source_key(source.name, "entries") for source in sources],
        group_name=group_of(settings.name),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "search_index"},
        code_version=CODE_VERSION,
        check_specs=[
            AssetCheckSpec(
                IS_LIVE,
                asset=key,
                description="Searches see the generation that the configuration asks for.",
            )
        ],
        description=(
            f"The live index of the collection `{settings.name}`. A new generation is promoted "
            "when it holds every readable document and the blocking checks on the entries "
            "passed; until then, and while settings or a build fail, the one before it keeps "
            "serving and receiving changes."
        ),
    )
    def search_index(
        run_context: ResourceParam[RunContext],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        report = publish_index(run_context, settings.name)
        yield MaterializeResult(
            metadata={**describe_index(report), "embedding_model": settings.embedding_model}
        )
        yield check_index(report)
        if report.error is not None:
            # After the results: what is served was seen to all the same.
            raise report.error

    return search_index


def describe_index(report: IndexReport) -> RawMetadataMapping:
    """What a person reads about an index in the UI."""
    return {
        "dagster/row_count": report.entries,
        "documents": report.documents,
        "generation": report.generation,
        "is_live": report.is_live,
        "was_promoted": report.was_promoted,
        **({"held_back_because": report.reason} if report.reason else {}),
        "vector_index": "hnsw" if report.has_vector_index else "exact scan",
        "lexemes_per_entry": round(report.average_length, 1),
        "dropped_generations": len(report.dropped_generations),
        "seconds": round(report.seconds, 3),
    }


def check_index(report: IndexReport) -> AssetCheckResult:
    """Whether the generation is served; while one is being built, the one before it is."""
    return AssetCheckResult(
        check_name=IS_LIVE,
        passed=report.is_live,
        severity=AssetCheckSeverity.WARN,
        metadata={
            "generation": report.generation,
            **({"held_back_because": report.reason} if report.reason else {}),
        },
    )
