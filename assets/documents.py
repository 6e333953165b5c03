"""`<source>/documents`: the ledger of a source and the parse of each distinct content."""

from __future__ import annotations

from dagster import AssetsDefinition, MaterializeResult, MetadataValue, ResourceParam, asset
from dagster._core.definitions.metadata import RawMetadataMapping

from assets.keys import OWNERS, group_of, source_key
from assets.tables import failure_table
from ragline.lifecycle.documents import DocumentsReport, sync_documents
from ragline.lifecycle.workshop import Workshop
from ragline.parsing.parser_pool import parser_fingerprint
from ragline.sources.settings import SourceSettings


def build_documents(settings: SourceSettings) -> AssetsDefinition:
    """The first stage of a source as an asset."""

    @asset(
        key=source_key(settings.name, "documents"),
        group_name=group_of(settings.collection),
        owners=OWNERS,
        kinds={settings.kind, "postgres"},
        tags={"stage": "documents"},
        # Another parser, or one more package that it can use: what was read may read differently.
        code_version=parser_fingerprint(),
        description=(
            f"Every document that the source `{settings.name}` lists, with its state, the hash "
            "of its bytes and, where it could be read, its parse. Only new and changed "
            "documents are read; one that cannot be read is listed below by name."
        ),
        metadata={"dagster/uri": settings.address, "visible_within": str(settings.visible_within)},
    )
    def documents(workshop: ResourceParam[Workshop]) -> MaterializeResult[None]:
        return MaterializeResult(metadata=describe(sync_documents(workshop, settings.name)))

    return documents


def describe(report: DocumentsReport) -> RawMetadataMapping:
    """What a person reads about this stage in the UI."""
    read = report.bytes_read / 1e6
    return {
        "dagster/row_count": report.listed,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": report.failed,
        "quarantined": report.quarantined,
        "unsupported": report.unsupported,
        "megabytes_read": round(read, 3),
        "megabytes_per_second": round(read / report.seconds, 3),
        "seconds": round(report.seconds, 3),
        "failures": failure_table(report.failures)
        if report.failures
        else MetadataValue.text("none"),
    }
