"""The checks of `<collection>_search_index` after a promotion.

`keeps_online_quality` compares real searches with those before the promotion, and `is_not_forced`
fails after a forced promotion. Each sync evaluates both checks. Between syncs, the sensor
`promotion_watch` compares the searches every minute, and the sensor `clocks` reports a changed
result of a check.
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
NOT_FORCED = "is_not_forced"
# The alarm with which each check fails.
ALARMS = {KEEPS_QUALITY: "quality_dropped", NOT_FORCED: "promotion_forced"}


def build_quality_check(settings: CollectionSettings) -> AssetChecksDefinition:
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
        return _read_result(run_context, settings, KEEPS_QUALITY)

    return keeps_online_quality


def build_force_check(settings: CollectionSettings) -> AssetChecksDefinition:
    """Build the check that no forced promotion is live that no later gate has passed."""

    @asset_check(
        asset=index_key(settings.name),
        name=NOT_FORCED,
        description=(
            "Searches use no generation and no search settings that a person has promoted by "
            "force, or a later gate has passed them."
        ),
    )
    def is_not_forced(run_context: ResourceParam[RunContext]) -> AssetCheckResult:
        return _read_result(run_context, settings, NOT_FORCED)

    return is_not_forced


def _read_result(
    run_context: RunContext, settings: CollectionSettings, check: str
) -> AssetCheckResult:
    collections = read_status(run_context.database).collections
    status = next(one for one in collections if one.collection == settings.name)
    return _judge(status, check)


def judge_promotion_checks(status: CollectionStatus) -> list[AssetCheckResult]:
    """Return the results of both checks. A check fails while the collection has its alarm."""
    return [_judge(status, check) for check in ALARMS]


def _judge(status: CollectionStatus, check: str) -> AssetCheckResult:
    found = [alarm for alarm in status.alarm_details if alarm.name == ALARMS[check]]
    is_error = any(alarm.severity == "error" for alarm in found)
    return AssetCheckResult(
        asset_key=index_key(status.collection),
        check_name=check,
        passed=not found,
        severity=AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN,
        metadata={alarm.name: alarm.text for alarm in found},
    )
