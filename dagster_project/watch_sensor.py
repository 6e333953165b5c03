"""The sensor `promotion_watch`: it compares searches after a promotion with searches before it.

The sensor stores its result. If the settings say so, it rolls a worse generation back. The sensor
`clocks` reads the stored result, raises the alarm and reports the check.
"""

from __future__ import annotations

from dagster import (
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from ragline.configuration import Configuration
from ragline.rollout.promotion_watch import WatchReport, watch_collection
from ragline.storage.database import open_database

WATCH_INTERVAL_S = 60


def build_watch_sensor(configuration: Configuration) -> SensorDefinition:
    """Build the sensor that watches the live generation of every collection."""

    @sensor(
        name="promotion_watch",
        minimum_interval_seconds=WATCH_INTERVAL_S,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Compares the searches of each new live generation with those of the days before its "
            "promotion. With `rollout.rollback: automatic`, makes the previous generation live "
            "again after a breach."
        ),
    )
    def promotion_watch(context: SensorEvaluationContext) -> SkipReason:
        reports = []
        with open_database(configuration) as database:
            for settings in configuration.collections:
                report = watch_collection(database, settings)
                if report is not None and report.state != "ended":
                    reports.append(report)
        for report in reports:
            if report.state == "rolled_back":
                context.log.error(describe_report(report))
        return SkipReason("; ".join(map(describe_report, reports)) or "no generation is watched")

    return promotion_watch


def describe_report(report: WatchReport) -> str:
    """Describe the result of the watch of one generation in one clause."""
    subject = f"generation {report.generation} of {report.collection}"
    if report.state == "rolled_back":
        return (
            f"{subject} was replaced by generation {report.replaced_by}, which was live before: "
            f"{report.reason}"
        )
    if report.state == "breached":
        return f"{subject} is worse than the days before: {report.reason}"
    return f"{subject} is watched"
