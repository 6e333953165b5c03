"""`<source>/entries`: a source's chunks as they stand in the index, ready to be searched."""

from __future__ import annotations

from datetime import timedelta

from dagster import (
    AssetsDefinition,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.keys import OWNERS, group_of, source_key
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.workshop import Workshop
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"
# Dagster's policies know nothing shorter.
SHORTEST_WINDOW = timedelta(seconds=60)


def build_entries(settings: SourceSettings) -> AssetsDefinition:
    """The fourth stage of a source as an asset; it carries the source's clock."""

    @asset(
        key=source_key(settings.name, "entries"),
        deps=[source_key(settings.name, "embeddings")],
        group_name=group_of(settings.collection),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "entries"},
        code_version=CODE_VERSION,
        freshness_policy=FreshnessPolicy.time_window(
            fail_window=max(settings.visible_within, SHORTEST_WINDOW)
        ),
        description=(
            f"The chunks of `{settings.name}` with text, vector, term weights and the keys of "
            "their receipts, one row each. Documents are exchanged whole; removed ones leave "
            f"here. A change must be visible within {settings.visible_within}."
        ),
    )
    def entries(workshop: ResourceParam[Workshop]) -> MaterializeResult[None]:
        report = apply_entries(workshop, settings.name)
        return MaterializeResult(
            metadata={
                "dagster/row_count": report.entries,
                "document_states": MetadataValue.json(report.states),
                "inserted": report.inserted,
                "refreshed": report.refreshed,
                "deleted": report.deleted,
                "documents_made_ready": report.documents_made_ready,
                "seconds": round(report.seconds, 3),
            }
        )

    return entries
