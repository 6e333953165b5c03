"""The asset `<source>_chunks`: the chunks of a source's documents."""

from __future__ import annotations

from dagster import AssetsDefinition, MaterializeResult, ResourceParam, asset

from assets.asset_keys import OWNERS, source_key, to_dagster_name
from assets.plots import plot_histogram
from ragline.chunking.chunks import CHUNKER_VERSION
from ragline.configuration import CollectionSettings
from ragline.fingerprints import fingerprint
from ragline.lifecycle.chunks import build_chunks, read_token_counts
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings


def build_chunks_asset(
    settings: SourceSettings, collection: CollectionSettings
) -> AssetsDefinition:
    """Build the asset of a source's stage `chunk`."""
    model = collection.embedding_model

    @asset(
        key=source_key(settings.name, "chunks"),
        deps=[source_key(settings.name, "documents")],
        group_name=to_dagster_name(settings.collection),
        owners=OWNERS,
        kinds={"python", "postgres"},
        tags={"stage": "chunk", "source": settings.name},
        code_version=fingerprint(
            {"chunker": CHUNKER_VERSION, **collection.chunking.model_dump(), "model": model}
        ),
        description=(
            f"The chunks of the documents of `{settings.name}`. Chunks follow the structure of "
            "their document (headings, paragraphs, tables) and fit into the embedding model. "
            "Each parse is chunked once."
        ),
    )
    def chunks(run_context: ResourceParam[RunContext]) -> MaterializeResult[None]:
        report = build_chunks(run_context, settings.name)
        counts = read_token_counts(run_context, settings.name)
        return MaterializeResult(
            metadata={
                "dagster/row_count": report.chunks,
                "documents": report.documents,
                "chunks_made": report.chunks_made,
                "chunks_per_document": round(report.chunks / max(report.documents, 1), 2),
                "seconds": round(report.seconds, 3),
                "tokens_per_chunk": plot_histogram(counts, "tokens per chunk"),
            }
        )

    return chunks
