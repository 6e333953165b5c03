"""The asset `<source>_documents`: the ledger of a source and one parse for each content hash."""

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

from assets.asset_keys import OWNERS, source_key, to_dagster_name
from assets.metadata import Metadata, failure_table, make_table
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.documents import DocumentsReport, sync_documents
from ragline.lifecycle.refused_source_moves import refuse_moved_source
from ragline.lifecycle.run_context import RunContext
from ragline.parsing.formats import parser_fingerprint
from ragline.sources.settings import SourceSettings
from ragline.status import HeldRemovals, read_status

REACHABLE = "source_is_reachable"
PLAUSIBLE = "removals_are_plausible"


def build_documents(settings: SourceSettings) -> AssetsDefinition:
    """Build the asset of a source's stage `read`."""
    key = source_key(settings.name, "documents")

    @asset(
        key=key,
        group_name=to_dagster_name(settings.collection),
        owners=OWNERS,
        kinds={settings.kind, "postgres"},
        tags={"stage": "read", "source": settings.name},
        # If a step has no output, Dagster skips the later stages and does not report them as
        # failed.
        output_required=False,
        # The text of a document can change with another version of the parser or of a package that
        # it uses.
        code_version=parser_fingerprint(),
        check_specs=_specify_checks(settings),
        description=(
            f"The documents of the source `{settings.name}`. Each has a state, the hash of its "
            "bytes, and a parse. A run reads only new and changed documents. The table "
            "`failures` names the documents that could not be read."
        ),
        metadata={"dagster/uri": settings.address, "visible_within": str(settings.visible_within)},
    )
    def documents(
        run_context: ResourceParam[RunContext],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        try:
            refuse_moved_source(run_context, settings.name)
            report = sync_documents(run_context, settings.name)
        except SourceUnavailableError as error:
            # The step does not fail, so that the run continues with the other sources. Only the
            # check of the source fails.
            yield judge_reachability(settings.name, str(error))
            yield judge_removals(settings.name, _read_held(run_context, settings.name))
            return
        yield MaterializeResult(metadata=describe(report))
        yield judge_reachability(settings.name, None)
        yield judge_removals(settings.name, _read_held(run_context, settings.name))

    return documents


def _specify_checks(settings: SourceSettings) -> list[AssetCheckSpec]:
    key = source_key(settings.name, "documents")
    return [
        AssetCheckSpec(
            REACHABLE,
            asset=key,
            description="The source answers, and its listing is complete.",
        ),
        AssetCheckSpec(
            PLAUSIBLE,
            asset=key,
            description=(
                "No removals are held. Ragline holds removals when one listing lacks too many "
                f"documents. To confirm them, run: ragline confirm-removals {settings.name}"
            ),
        ),
    ]


def judge_reachability(source: str, error: str | None) -> AssetCheckResult:
    """Return the result of the check that a source can be listed.

    `error` is the reason if it cannot be listed, or None.
    """
    return AssetCheckResult(
        asset_key=source_key(source, "documents"),
        check_name=REACHABLE,
        passed=error is None,
        severity=AssetCheckSeverity.ERROR,
        metadata={} if error is None else {"error": error},
    )


def judge_removals(source: str, held: HeldRemovals | None) -> AssetCheckResult:
    """Return the result of the check that no removals are held.

    The metadata of the result names the first documents whose removal is held.
    """
    metadata: Metadata = {"held": 0}
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


def describe(report: DocumentsReport) -> Metadata:
    """Return the report of the stage `read` as metadata of the asset's materialization."""
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
