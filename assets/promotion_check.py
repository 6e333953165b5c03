"""The check `keeps_online_quality`: after a promotion, real searches are as good as before.

The check belongs to the asset `<collection>_search_index`, and each sync evaluates it. Between
syncs, the sensor `promotion_watch` compares the searches every minute, and the sensor `clocks`
reports a changed result of the check.
"""

from __future__ import annotations

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    ResourceParam,
    asset_check,
)

from assets.asset_keys import index_key
from ragline.configuration import CollectionSettings
from ragline.lifecycle.run_context import RunContext
from ragline.rollout.promotion_watch import watch_collection
from ragline.status import CollectionStatus, read_status

KEEPS_QUALITY = "keeps_online_quality"
ALARM = "quality_dropped"


def build_promotion_check(settings: CollectionSettings) -> AssetChecksDefinition:
    """Build the check that searches are not worse since the last promotion than before it."""

    @asset_check(
        asset=index_key(settings.name),
        name=KEEPS_QUALITY,
        description=(
            "After a promotion, searches that find nothing, searches with a low confidence, "
            "clicks, stale hits and slow searches are not worse than in the days before. Chance "
            "does not fail this check."
        ),
    )
    def keeps_online_quality(run_context: ResourceParam[RunContext]) -> AssetCheckResult:
        watch_collection(run_context.database, settings)
        collections = read_status(run_context.database).collections
        status = next(one for one in collections if one.collection == settings.name)
        return judge_online_quality(status)

    return keeps_online_quality


def judge_online_quality(status: CollectionStatus) -> AssetCheckResult:
    """Return the result of the check, which fails while the alarm `quality_dropped` lasts."""
    found = [alarm for alarm in status.alarm_details if alarm.name == ALARM]
    is_error = any(alarm.severity == "error" for alarm in found)
    return AssetCheckResult(
        asset_key=index_key(status.collection),
        check_name=KEEPS_QUALITY,
        passed=not found,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={alarm.name: alarm.text for alarm in found},
    )
