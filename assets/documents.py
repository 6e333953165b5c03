"""`<source>/documents`: the ledger of a source and the parse of each distinct content."""

from __future__ import annotations

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)
from dagster._core.definitions.metadata import RawMetadataMapping, RawMetadataValue

from assets.keys import OWNERS, group_of, source_key
from assets.tables import failure_table, make_table
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.documents import DocumentsReport, sync_documents
from ragline.lifecycle.run_context import RunContext
from ragline.parsing.parser_pool import parser_fingerprint
from ragline.sources.settings import SourceSettings
from ragline.status import HeldRemovals, read_status

REACHABLE = "source_is_reachable"
PLAUSIBLE = "removals_are_plausible"


def build_documents(settings: SourceSettings) -> AssetsDefinition:
    """The first stage of a source as an asset."""
    key = source_key(settings.name, "documents")

    @asset(
        key=key,
        group_name=group_of(settings.collection),
        owners=OWNERS,
        kinds={settings.kind, "postgres"},
        tags={"stage": "documents"},
        # Without an output what follows is skipped, which is not failed.
        output_required=False,
        # Another parser, or one more package that it can use: what was read may read differently.
        code_version=parser_fingerprint(),
        check_specs=[
            AssetCheckSpec(
                REACHABLE,
                asset=key,
                description="The source answers and can be listed to its end.",
            ),
            AssetCheckSpec(
                PLAUSIBLE,
                asset=key,
                description=(
                    "No removals are held because too many came at once; if they are right: "
                    f"ragline confirm-removals {settings.name}"
                ),
            ),
        ],
        description=(
            f"Every document that the source `{settings.name}` lists, with its state, the hash "
            "of its bytes and, where it could be read, its parse. Only new and changed "
            "documents are read; one that cannot be read is listed below by name."
        ),
        metadata={"dagster/uri": settings.address, "visible_within": str(settings.visible_within)},
    )
    def documents(
        run_context: ResourceParam[RunContext],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        try:
            report = sync_documents(run_context, settings.name)
        except SourceUnavailableError as error:
            # The run goes on with other sources; nothing of this one is red but this check.
            yield judge_reachability(settings.name, str(error))
            yield judge_removals(settings.name, _read_held(run_context, settings.name))
            return
        yield MaterializeResult(metadata=describe(report))
        yield judge_reachability(settings.name, None)
        yield judge_removals(settings.name, _read_held(run_context, settings.name))

    return documents


def judge_reachability(source: str, error: str | None) -> AssetCheckResult:
    """Whether a source can be reached; with the reason why not."""
    return AssetCheckResult(
        asset_key=source_key(source, "documents"),
        check_name=REACHABLE,
        passed=error is None,
        severity=AssetCheckSeverity.ERROR,
        metadata={} if error is None else {"error": error},
    )


def judge_removals(source: str, held: HeldRemovals | None) -> AssetCheckResult:
    """Whether removals are held, and the first of them by name."""
    metadata: dict[str, RawMetadataValue] = {"held": 0}
    if held is not None:
        metadata = {
            "held": held.count,
            "since": MetadataValue.timestamp(held.since),
            "documents": make_table(["document"], [[name] for name in held.documents]),
            "to_release": f"ragline confirm-removals {source}",
        }
    return AssetCheckResult(
        asset_key=source_key(source, "documents"),
        check_name=PLAUSIBLE,
        passed=held is None,
        severity=AssetCheckSeverity.ERROR,
        metadata=metadata,
    )


def _read_held(run_context: RunContext, name: str) -> HeldRemovals | None:
    sources = read_status(run_context.database).sources
    return next(source.held for source in sources if source.source == name)


def describe(report: DocumentsReport) -> RawMetadataMapping:
    """What a person reads about this stage in the UI."""
    read = report.bytes_read / 1e6
    return {
        "dagster/row_count": report.listed,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "removals_held": report.held,
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
