"""`retention_report`: what was deleted for good today, because it was kept long enough."""

from __future__ import annotations

from dagster import AssetKey, AssetsDefinition, MaterializeResult, ResourceParam, asset

from assets.keys import OWNERS
from ragline.lifecycle.retention import collect_expired
from ragline.lifecycle.run_context import RunContext

KEY = AssetKey("retention_report")
CODE_VERSION = "1"


def build_retention_report() -> AssetsDefinition:
    """The daily collection of tombstones, unused parses and vectors, and old records."""

    @asset(
        key=KEY,
        group_name="service",
        owners=OWNERS,
        kinds={"postgres"},
        tags={"stage": "retention"},
        code_version=CODE_VERSION,
        description=(
            "How many rows of each kind were deleted for good: what is left of removed documents, "
            "parses and vectors that nothing needs, old searches, readings and reports."
        ),
    )
    def retention_report(run_context: ResourceParam[RunContext]) -> MaterializeResult[None]:
        report = collect_expired(run_context.database, run_context.configuration.retention)
        return MaterializeResult(
            metadata={
                "dagster/row_count": sum(report.deleted.values()),
                **report.deleted,
                "seconds": round(report.seconds, 3),
            }
        )

    return retention_report
