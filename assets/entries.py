"""The asset `<source>_entries`: the chunks of a source in the index of its collection."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import (
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.asset_keys import OWNERS, source_key, to_dagster_name
from ragline.durations import format_duration
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"


def build_entries(settings: SourceSettings) -> AssetsDefinition:
    """Build the asset of a source's stage `index`.

    The asset has no freshness policy, and `entry_checks` checks the source's clocks instead.
    Dagster's policies measure the time since the last materialization, and a source without changes
    is not materialized.
    """

    @asset(
        key=source_key(settings.name, "entries"),
        deps=[source_key(settings.name, "embeddings")],
        group_name=to_dagster_name(settings.collection),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "index", "source": settings.name},
        code_version=CODE_VERSION,
        description=(
            f"The index entries of `{settings.name}`: one row for each chunk, with its text, "
            "vector, keyword weights and receipt. A run replaces all entries of a changed "
            "document in one transaction and deletes the entries of removed documents. Changes "
            f"must be visible within {format_duration(settings.visible_within.total_seconds())}."
        ),
    )
    def entries(run_context: ResourceParam[RunContext]) -> MaterializeResult[None]:
        report = apply_entries(run_context, settings.name)
        return MaterializeResult(
            metadata={
                "dagster/row_count": report.entries,
                "document_states": MetadataValue.json(describe_states(report.states)),
                "inserted": report.inserted,
                "refreshed": report.refreshed,
                "deleted": report.deleted,
                "documents_made_ready": report.documents_made_ready,
                "seconds": round(report.seconds, 3),
            }
        )

    return entries


def describe_states(states: Mapping[str, int]) -> dict[str, int]:
    """Return the number of documents in each state, without states that have no documents.

    Before a collection has its first live generation, no document is `ready`. The documents become
    `ready` when the asset `<collection>_search_index` publishes the generation.
    """
    shown = {state: count for state, count in states.items() if count}
    if "pending" in shown and "ready" not in shown:
        shown["indexed, ready once published"] = shown.pop("pending")
    return shown
