"""Builds all assets and checks of a configuration."""

from __future__ import annotations

from dagster import AssetChecksDefinition, AssetsDefinition

from assets.candidate import build_candidate
from assets.chunk_checks import build_chunk_checks
from assets.chunks import build_chunks_asset
from assets.document_checks import build_document_checks
from assets.documents import build_documents
from assets.embeddings import build_embeddings
from assets.entries import build_entries
from assets.entry_checks import (
    build_clock_checks,
    build_full_proof_check,
    build_proof_checks,
)
from assets.promotion_check import build_force_check, build_quality_check
from assets.retention import build_retention_report
from assets.retrieval_evaluation import build_retrieval_evaluation
from assets.retrieval_quality import build_retrieval_quality
from assets.search_index import build_search_index
from ragline.configuration import CollectionSettings, Configuration
from ragline.sources.settings import SourceSettings

SOURCE_CHECKS = (
    build_document_checks,
    build_chunk_checks,
    build_proof_checks,
    build_full_proof_check,
    build_clock_checks,
)


def build_assets(configuration: Configuration) -> list[AssetsDefinition]:
    """Build every asset of a configuration.

    Each source has four assets, each collection two or three, and the service two.
    """
    assets: list[AssetsDefinition] = []
    for source in configuration.sources:
        assets += build_source_assets(source, configuration.collection(source.collection))
    for collection in configuration.collections:
        sources = configuration.sources_of(collection.name)
        if sources:
            assets.append(build_search_index(collection, sources))
            assets.append(build_candidate(collection, sources))
        if sources and collection.golden is not None:
            assets.append(build_retrieval_evaluation(collection))
    return [*assets, build_retrieval_quality(), build_retention_report()]


def build_source_assets(
    settings: SourceSettings, collection: CollectionSettings
) -> list[AssetsDefinition]:
    """Build the assets of one source, in the order of its stages."""
    return [
        build_documents(settings),
        build_chunks_asset(settings, collection),
        build_embeddings(settings, collection),
        build_entries(settings),
    ]


def build_checks(configuration: Configuration) -> list[AssetChecksDefinition]:
    """Build every check that is not part of an asset."""
    of_sources = [build(source) for source in configuration.sources for build in SOURCE_CHECKS]
    of_collections = [
        build(collection)
        for collection in configuration.collections
        if configuration.sources_of(collection.name)
        for build in (build_quality_check, build_force_check)
    ]
    return [*of_sources, *of_collections]
