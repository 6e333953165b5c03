"""The asset `<source>_embeddings`: one embedding for each distinct text of a source's chunks."""

from __future__ import annotations

from dagster import AssetsDefinition, MaterializeResult, ResourceParam, asset

from assets.asset_keys import OWNERS, source_key, to_dagster_name
from ragline.configuration import CollectionSettings
from ragline.fingerprints import fingerprint
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings


def build_embeddings(settings: SourceSettings, collection: CollectionSettings) -> AssetsDefinition:
    """Build the asset of a source's stage `embed`."""

    @asset(
        key=source_key(settings.name, "embeddings"),
        deps=[source_key(settings.name, "chunks")],
        group_name=to_dagster_name(settings.collection),
        owners=OWNERS,
        kinds={"openvino", "postgres"},
        tags={"stage": "embed", "source": settings.name},
        code_version=fingerprint({"model": collection.embedding_model}),
        description=(
            f"One embedding for each distinct text of the chunks of `{settings.name}`. Each text "
            "is embedded once in each embedding space, even if several documents contain it."
        ),
    )
    def embeddings(run_context: ResourceParam[RunContext]) -> MaterializeResult[None]:
        report = embed_chunks(run_context, settings.name)
        return MaterializeResult(
            metadata={
                "dagster/row_count": report.chunks,
                "embeddings_made": report.embeddings_made,
                "embeddings_reused": report.embeddings_reused,
                "texts_per_second": round(report.texts_per_second, 1),
                "encoder": report.encoder,
                "embedding_model": collection.embedding_model,
                "seconds": round(report.seconds, 3),
            }
        )

    return embeddings
