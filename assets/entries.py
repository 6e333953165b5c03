"""`<source>/entries`: a source's chunks as they stand in the index, ready to be searched."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import (
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.keys import OWNERS, group_of, source_key
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.sources.settings import SourceSettings

CODE_VERSION = "1"


def build_entries(settings: SourceSettings) -> AssetsDefinition:
    """The fourth stage of a source as an asset; the checks of its clocks are on it.

    It has no freshness policy: Dagster's measure the time since the last materialisation, and a
    source without a change is not materialised.
    """

    @asset(
        key=source_key(settings.name, "entries"),
        deps=[source_key(settings.name, "embeddings")],
        group_name=group_of(settings.collection),
        owners=OWNERS,
        kinds={"postgres", "pgvector"},
        tags={"stage": "entries"},
        code_version=CODE_VERSION,
        description=(
            f"The chunks of `{settings.name}` with text, vector, term weights and the keys of "
            "their receipts, one row each. Documents are exchanged whole; removed ones leave "
            f"here. A change must be visible within {settings.visible_within}."
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
    """Documents by state, without zeros.

    Before there is a live generation none can be `ready`: what is placed waits for the search
    index to be published, which is the next step.
    """
    shown = {state: count for state, count in states.items() if count}
    if "pending" in shown and "ready" not in shown:
        shown["placed, ready once published"] = shown.pop("pending")
    return shown
