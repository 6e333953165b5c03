"""`<collection>/search_index`: the generation that searches of a collection see."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import (
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.keys import OWNERS, group_of, index_key, source_key
from ragline.configuration import CollectionSettings
from ragline.lifecycle.search_index import publish_index
from ragline.lifecycle.workshop import Workshop
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"


def build_search_index(
    settings: CollectionSettings, sources: Sequence[SourceSettings]
) -> AssetsDefinition:
    """What the entries of a collection's sources meet in, as an asset."""

    @asset(
        key=index_key(settings.name),
        deps=[source_key(source.name, "entries") for source in sources],
        group_name=group_of(settings.name),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        code_version=CODE_VERSION,
        description=(
            f"The live index of the collection `{settings.name}`. A new generation is promoted "
            "when it holds every readable document and the blocking checks on the entries "
            "passed; until then the one before it keeps serving."
        ),
    )
    def search_index(workshop: ResourceParam[Workshop]) -> MaterializeResult[None]:
        report = publish_index(workshop, settings.name)
        return MaterializeResult(
            metadata={
                "dagster/row_count": report.entries,
                "documents": report.documents,
                "generation": report.generation,
                "is_live": report.is_live,
                "was_promoted": report.was_promoted,
                "held_back_because": MetadataValue.text(report.reason or "nothing"),
                "vector_index": "hnsw" if report.has_vector_index else "exact scan",
                "lexemes_per_entry": round(report.average_length, 1),
                "embedding_model": settings.embedding_model,
                "seconds": round(report.seconds, 3),
            }
        )

    return search_index
