"""A new live generation is compared with the days before: no false alarm, and one for a drop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dagster import SkipReason, build_sensor_context
from lifecycle_doubles import HashEmbedder, TreeSource, make_run_context, sync
from recorded_traffic import Traffic
from repetition_counts import choose_count
from sqlalchemy import text

from assets.promotion_check import judge_promotion_checks
from dagster_project.watch_sensor import build_watch_sensor
from ragline.alarms import Alarm
from ragline.configuration import (
    CollectionSettings,
    Configuration,
    RetentionSettings,
    SearchSettings,
)
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    promote_by_id,
    promote_candidate,
    roll_back,
)
from ragline.lifecycle.generation_records import GenerationEvent, read_record
from ragline.lifecycle.retention import delete_expired
from ragline.rollout.promotion_watch import WatchReport, list_breaches, watch_collection
from ragline.status import CollectionStatus, read_status
from ragline.storage.database import Database

ADA = Decision("ada", "better hits")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHER = {"chunking": {"max_tokens": 16, "overlap_tokens": 0}}
# Promotions of the quiet stretch. In each of them, the watch looks 48 times.
PROMOTIONS = choose_count(4, 60)


@dataclass
class Watched:
    """A collection whose second generation is live since `promoted_at`."""

    database: Database
    traffic: Traffic
    promoted_at: datetime
    rollout: RolloutSettings
    configuration: Configuration

    def look(self, after: timedelta) -> WatchReport | None:
        settings = CollectionSettings(name="tree", rollout=self.rollout)
        return watch_collection(self.database, settings, self.promoted_at + after)

    def add_days_before(self, count: int = 400, days: int = 7) -> None:
        """Add searches of the first generation, `count` on each day."""
        for day in range(1, days + 1):
            self.traffic.add(1, self.promoted_at - day * DAY, DAY, count)

    def add(self, start: timedelta, span: timedelta, count: int) -> None:
        """Add searches of the second generation. `start` counts from its promotion."""
        self.traffic.add(2, self.promoted_at + start, span, count)

    def status(self) -> CollectionStatus:
        (status,) = read_status(self.database).collections
        return status

    def alarms(self) -> list[Alarm]:
        return self.status().alarm_details

    def failed_checks(self) -> list[str]:
        results = judge_promotion_checks(self.status())
        return [str(one.check_name) for one in results if not one.passed]

    def trail(self, generation: int) -> list[GenerationEvent]:
        return read_record(self.database, generation)[1]


@pytest.fixture
def watched(database: Database, tmp_path: Path) -> Watched:
    tree = TreeSource()
    tree.write("roof.md", "the roof is red and the house is old")

    def open_context(run_id: str, **collection: Any) -> Any:
        collection = {"build": "manual", **collection}
        return make_run_context(
            database, tmp_path, tree, HashEmbedder(), run_id=run_id, collection=collection
        )

    sync(open_context("first"))
    with open_context("second", **OTHER) as run_context:
        build_generation(run_context, "tree", ADA)
        promote_candidate(database, run_context.configuration, "tree", ADA)
    promoted_at = read_record(database, 2)[1][-1].changed_at
    traffic = Traffic(database, "tree", np.random.default_rng(11))
    return Watched(
        database, traffic, promoted_at.astimezone(UTC), RolloutSettings(), run_context.configuration
    )


def test_equal_traffic_is_watched_until_the_time_is_over(watched: Watched) -> None:
    watched.add_days_before()
    watched.add(timedelta(0), DAY, 400)
    report = watched.look(20 * HOUR)
    assert report is not None
    assert (report.state, report.generation, report.reason) == ("watching", 2, None)
    assert [figure.name for figure in report.figures] == [
        "zero_results",
        "low_confidence",
        "clicked",
        "stale",
        "slow",
    ]
    for figure in report.figures:
        assert figure.shares is not None
        assert figure.shares.low <= figure.shares.difference <= figure.shares.high
        # The first 20 hours of each of the seven days.
        assert figure.shares.reference_searches == pytest.approx(400 * 7 * 20 / 24, rel=0.06)
    assert watched.alarms() == []
    later = watched.look(DAY + HOUR)
    assert later is not None
    assert later.state == "ended"


def test_few_searches_decide_nothing(watched: Watched) -> None:
    watched.add_days_before()
    watched.traffic.empty = 1.0
    watched.add(timedelta(0), HOUR, 99)
    report = watched.look(HOUR)
    assert report is not None
    assert report.state == "watching"
    assert {figure.shares for figure in report.figures} == {None}


def test_collection_without_earlier_searches_is_not_decided(watched: Watched) -> None:
    watched.traffic.empty = 1.0
    watched.add(timedelta(0), HOUR, 500)
    report = watched.look(HOUR)
    assert report is not None
    assert report.state == "watching"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"empty": 0.35}, "searches that found nothing was"),
        ({"unsure": 0.5}, "searches with a low confidence was"),
        ({"clicked": 0.05}, "searches with a click or a good verdict was"),
        ({"stale": 0.3}, "searches with a stale hit was"),
        ({"median_ms": 60.0}, "searches that take longer than 30 ms was"),
    ],
    ids=["zero results", "confidence", "clicks", "stale hits", "latency"],
)
def test_drop_raises_one_alarm_that_ends_with_the_trouble(
    watched: Watched, change: dict[str, Any], words: str
) -> None:
    watched.add_days_before()
    good = replace(watched.traffic)
    watched.traffic = replace(watched.traffic, **change)
    watched.add(timedelta(0), 2 * HOUR, 400)
    report = watched.look(2 * HOUR)
    assert report is not None
    assert report.state == "breached"
    assert report.reason is not None
    assert words in report.reason
    assert "; " not in report.reason
    (alarm,) = watched.alarms()
    assert (alarm.name, alarm.severity, alarm.collection) == ("quality_dropped", "error", "tree")
    assert report.reason in alarm.cause
    assert "ragline generation rollback tree" in alarm.remedy
    assert watched.failed_checks() == ["keeps_online_quality"]
    # It continues while the searches are bad, also after the time of the watch.
    watched.add(26 * HOUR, HOUR, 300)
    again = watched.look(28 * HOUR)
    assert again is not None
    assert (again.state, again.reason, again.breached_at) == (
        "breached", report.reason, report.breached_at,
    )  # fmt: skip
    assert [one.name for one in watched.alarms()] == ["quality_dropped"]
    # It ends with the trouble, and does not begin again.
    watched.traffic = good
    watched.add(28 * HOUR, HOUR, 260)
    ended = watched.look(30 * HOUR)
    assert ended is not None
    assert (ended.state, watched.alarms()) == ("watching", [])
    assert watched.failed_checks() == []
    assert [event.to_state for event in watched.trail(2)] == ["building", "candidate", "live"]
    assert watched.look(31 * HOUR).state == "ended"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("best_confidence", "breached"),
    [(0.2, ["low_confidence"]), (0.7, []), (None, [])],
    ids=["low", "below the minimum of the request", "unknown"],
)
def test_search_that_abstains_has_found_something(
    watched: Watched, best_confidence: float | None, breached: list[str]
) -> None:
    watched.add_days_before()
    watched.add(timedelta(0), HOUR, 150)
    watched.traffic.add(
        2, watched.promoted_at, HOUR, 150,
        hit_count=0, is_abstained=True, best_confidence=best_confidence,
    )  # fmt: skip
    report = watched.look(HOUR)
    assert report is not None
    assert [figure.name for figure in list_breaches(report.figures)] == breached


def test_low_confidence_is_below_the_minimum_of_the_settings(watched: Watched) -> None:
    watched.add_days_before()
    watched.add(timedelta(0), HOUR, 150)
    rated = []
    for minimum in (0.0, 0.5, 0.8, 0.81):
        search = SearchSettings(min_confidence=minimum)
        settings = CollectionSettings(name="tree", search=search)
        report = watch_collection(watched.database, settings, watched.promoted_at + HOUR)
        assert report is not None
        shares = report.figures[1].shares
        assert shares is not None
        rated.append(shares.new_share)
    # The traffic has the confidences 0.1 and 0.8.
    assert rated[0] == rated[1] == rated[2] < 0.2
    assert rated[3] == 1.0


def test_breach_rolls_back_by_itself_if_the_settings_say_so(watched: Watched) -> None:
    watched.rollout = RolloutSettings(rollback="automatic")
    watched.add_days_before()
    watched.traffic.empty = 0.5
    watched.add(timedelta(0), HOUR, 150)
    report = watched.look(HOUR)
    assert report is not None
    assert (report.state, report.replaced_by, report.rollback_error) == ("rolled_back", 1, None)
    last = watched.trail(2)[-1]
    assert (last.to_state, last.changed_by) == ("retired", "watch")
    assert last.reason is not None
    assert "worse online figures after the promotion: the share of searches that found nothing" in (
        last.reason
    )
    assert watched.status().generation == 1
    # One alarm remains as a warning, because the settings still ask for the held generation.
    (alarm,) = watched.alarms()
    assert (alarm.name, alarm.severity) == ("quality_dropped", "warning")
    assert "was rolled back automatically" in alarm.cause
    # The generation that is live again is not watched, however bad its searches are.
    watched.traffic.add(1, watched.promoted_at + HOUR, HOUR, 300)
    assert watched.look(3 * HOUR) is None
    assert len(watched.alarms()) == 1
    # An operator who makes the generation live again decides against the watch.
    promote_by_id(watched.database, watched.configuration, 2, ADA)
    assert watched.look(4 * HOUR) is None
    assert watched.alarms() == []
    assert [event.changed_by for event in watched.trail(2)][-2:] == ["watch", "ada"]


def test_sensor_rolls_back_and_says_why(watched: Watched) -> None:
    settings = CollectionSettings(name="tree", rollout=RolloutSettings(rollback="automatic"))
    changes = {"collections": (settings,), "database_url": watched.database.url}
    sensor = build_watch_sensor(watched.configuration.model_copy(update=changes))
    # The promotion was a short time ago, so the same time of the earlier days is short too.
    span = timedelta(milliseconds=1)
    for day in range(1, 8):
        watched.traffic.add(1, watched.promoted_at - day * DAY, span, 100)
    watched.traffic.empty = 0.5
    watched.add(timedelta(0), span, 150)
    context = build_sensor_context(sensor_name="promotion_watch")
    said = sensor(context)
    assert isinstance(said, SkipReason)
    assert said.skip_message is not None
    assert said.skip_message.startswith(
        "generation 2 of tree was replaced by generation 1, which was live before: the share of "
        "searches that found nothing was"
    )
    assert watched.status().generation == 1
    again = sensor(context)
    assert isinstance(again, SkipReason)
    assert again.skip_message == "no generation is watched"


def test_rollback_by_an_operator_ends_the_alarm(watched: Watched) -> None:
    watched.add_days_before()
    watched.traffic.empty = 0.5
    watched.add(timedelta(0), HOUR, 150)
    watched.look(HOUR)
    assert len(watched.alarms()) == 1
    roll_back(watched.database, "tree", Decision("ada", "worse hits"))
    assert watched.alarms() == []


def test_rollback_that_is_impossible_is_stated_in_the_alarm(watched: Watched) -> None:
    watched.rollout = RolloutSettings(rollback="automatic")
    with watched.database.begin() as connection:
        connection.execute(text("update ragline.generations set held_at = now() where id = 1"))
    watched.add_days_before()
    watched.traffic.empty = 0.5
    watched.add(timedelta(0), HOUR, 150)
    report = watched.look(HOUR)
    assert report is not None
    assert report.state == "breached"
    assert report.rollback_error is not None
    assert "has no retired generation to return to" in report.rollback_error
    (alarm,) = watched.alarms()
    assert alarm.severity == "error"
    assert report.rollback_error in alarm.cause


def test_searches_of_other_hours_are_left_out_on_the_first_day(watched: Watched) -> None:
    # At night, a robot searches for what is not there.
    watched.add_days_before()
    night = replace(watched.traffic, empty=0.9)
    for day in range(1, 8):
        night.add(1, watched.promoted_at - day * DAY + 6 * HOUR, 2 * HOUR, 100)
    watched.add(timedelta(0), 3 * HOUR, 150)
    report = watched.look(3 * HOUR)
    assert report is not None
    zero_results = report.figures[0].shares
    assert zero_results is not None
    assert zero_results.reference_share < 0.06
    # When its hours come, they are compared with the same hours, and raise no alarm.
    watched.add(3 * HOUR, 6 * HOUR, 100)
    night.add(2, watched.promoted_at + 6 * HOUR, 2 * HOUR, 100)
    report = watched.look(9 * HOUR)
    assert report is not None
    assert report.state == "watching"


def test_uneven_days_raise_no_alarm(watched: Watched) -> None:
    # On some days, one caller repeats a query without a hit. So the share changes from day to day.
    for day, empty in enumerate((0.02, 0.15, 0.03, 0.2, 0.02, 0.12, 0.05), start=1):
        replace(watched.traffic, empty=empty).add(1, watched.promoted_at - day * DAY, DAY, 400)
    watched.traffic.empty = 0.17
    watched.add(timedelta(0), DAY, 400)
    report = watched.look(DAY)
    assert report is not None
    shares = report.figures[0].shares
    assert shares is not None
    assert shares.difference > report.figures[0].margin
    assert shares.design_effect > 5
    assert report.state == "watching"


def test_quiet_promotions_raise_no_alarm(watched: Watched) -> None:
    """Equal traffic with days and nights, looked at every half hour, after several promotions."""
    looks = 0
    for _ in range(PROMOTIONS):
        with watched.database.begin() as connection:
            connection.exec_driver_sql("truncate ragline.search_requests cascade")
            connection.exec_driver_sql("truncate ragline.promotion_watches")
        for hour in range(-7 * 24, 24):
            busy = 1.0 + np.sin(2 * np.pi * hour / 24)
            empty = float(np.clip(watched.traffic.chance.normal(0.05, 0.01), 0, 1))
            count = int(watched.traffic.chance.poisson(4 + 26 * busy))
            generation = 1 if hour < 0 else 2
            replace(watched.traffic, empty=empty).add(
                generation, watched.promoted_at + hour * HOUR, HOUR, count
            )
        for half_hour in range(1, 49):
            report = watched.look(half_hour * HOUR / 2)
            assert report is not None
            assert report.state == "watching", report
            looks += 1
    assert looks == 48 * PROMOTIONS
    assert watched.alarms() == []


def test_old_watches_are_deleted(watched: Watched) -> None:
    watched.look(HOUR)
    long_ago = "update ragline.promotion_watches set checked_at = now() - interval '91 days'"
    assert delete_expired(watched.database, RetentionSettings()).deleted["promotion_watches"] == 0
    with watched.database.begin() as connection:
        connection.exec_driver_sql(long_ago)
    assert delete_expired(watched.database, RetentionSettings()).deleted["promotion_watches"] == 1
