"""The ordinary syncs after partial syncs: when they run, and what the sensor sees meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest

from dagster_project import follow_up_syncs
from dagster_project.follow_up_syncs import FollowUpSyncs, SyncProcess
from dagster_project.sync_orders import SyncAnswer, SyncOrder
from ragline.lifecycle.pending_work import read_pending_work
from ragline.storage.database import Database


class RecordingProcess(SyncProcess):
    """Records its orders, with the time of each. An order ends when `may_end` is set."""

    def __init__(self) -> None:
        super().__init__({})
        self.orders: list[tuple[float, SyncOrder]] = []
        self.may_end = Event()
        self.may_end.set()
        self.error: str | None = None

    def sync(self, order: SyncOrder) -> SyncAnswer:
        self.orders.append((time.monotonic(), order))
        self.may_end.wait(30)
        return SyncAnswer(order.source, self.error, 0.0)


class Site:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.process = RecordingProcess()
        self.lines: list[str] = []
        self.syncs = FollowUpSyncs(database, self.process, self.lines.append)

    def is_sensor_held(self) -> bool:
        return read_pending_work(self.database, "inbox", None).is_locked

    def wait_for_orders(self, count: int) -> list[SyncOrder]:
        deadline = time.monotonic() + 30
        while len(self.process.orders) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return [order for _, order in self.process.orders]


@pytest.fixture
def site(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(follow_up_syncs, "QUIET_S", 1.0)
    monkeypatch.setattr(follow_up_syncs, "MAX_DELAY_S", 3.0)
    site = Site(database)
    site.syncs.start()
    yield site
    site.process.may_end.set()
    site.syncs.stop()


def test_changes_of_a_busy_source_share_one_sync(site: Site) -> None:
    run_id = site.syncs.run_id_of("inbox")
    for _ in range(3):
        site.syncs.request("inbox", "signal: push", is_urgent=False)
        last_at = time.monotonic()
        time.sleep(0.1)
    assert site.wait_for_orders(1) == [SyncOrder("inbox", run_id, "signal: push")]
    assert site.process.orders[0][0] - last_at >= 0.9
    assert site.syncs.run_id_of("inbox") != run_id


def test_source_that_never_rests_is_synced_after_the_longest_delay(site: Site) -> None:
    started = time.monotonic()
    while not site.process.orders:
        assert time.monotonic() - started < 30
        site.syncs.request("inbox", "signal: push", is_urgent=False)
        time.sleep(0.2)
    assert site.process.orders[0][0] - started >= 2.9


def test_urgent_sync_does_not_wait(site: Site) -> None:
    site.syncs.request("inbox", "signal: github", is_urgent=False)
    started = time.monotonic()
    site.syncs.request("inbox", "signal: github", is_urgent=True)
    site.wait_for_orders(1)
    assert site.process.orders[0][0] - started < 0.9


def test_sensor_starts_no_run_while_a_sync_is_due_or_runs(site: Site) -> None:
    assert not site.is_sensor_held()
    site.process.may_end.clear()
    site.syncs.request("inbox", "signal: push", is_urgent=False)
    assert site.is_sensor_held()
    site.wait_for_orders(1)
    assert site.is_sensor_held()
    site.process.may_end.set()
    deadline = time.monotonic() + 30
    while site.is_sensor_held():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_failed_sync_is_shown(site: Site) -> None:
    site.process.error = "a stage failed"
    site.syncs.request("inbox", "signal: push", is_urgent=True)
    deadline = time.monotonic() + 30
    while not site.lines:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert site.lines == ["inbox: the sync after a change failed: a stage failed"]


def test_process_that_cannot_work_ends_with_an_answer() -> None:
    process = SyncProcess({"PATH": "/nowhere"})
    answer = process.sync(SyncOrder("inbox", "run", "signal: push"))
    assert answer.error is not None
    assert "ended with status" in answer.error
    process.stop()
