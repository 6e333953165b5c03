"""The asset `retention_report`: the deletion of data whose retention time has ended."""

from __future__ import annotations

from dagster import AssetKey, AssetsDefinition, MaterializeResult, ResourceParam, asset

from assets.asset_keys import OWNERS
from ragline.lifecycle.retention import delete_expired
from ragline.lifecycle.run_context import RunContext

KEY = AssetKey("retention_report")
CODE_VERSION = "1"


def build_retention_report() -> AssetsDefinition:
    """Build the asset of the daily deletion of data whose retention time has ended."""

    @asset(
        key=KEY,
        group_name="service",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"stage": "retention"},
        code_version=CODE_VERSION,
        description=(
            "The number of rows of each kind that were deleted because their retention time has "
            "ended: tombstones of removed documents, parses and embeddings that no document uses, "
            "and old records of searches, clocks and syncs."
        ),
    )
    def retention_report(run_context: ResourceParam[RunContext]) -> MaterializeResult[None]:
        report = delete_expired(run_context.database, run_context.configuration.retention)
        return MaterializeResult(
            metadata={
                "dagster/row_count": sum(report.deleted.values()),
                **report.deleted,
                "seconds": round(report.seconds, 3),
            }
        )

    return retention_report
