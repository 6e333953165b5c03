"""GET /v1/collections/{collection}/freshness, over loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from running_service import RunningService
from sqlalchemy import text

from ragline.lifecycle.ledger import record_reachable, record_unreachable
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.sync_proof import prove_source

SOURCE = "handbook-articles"
CLOCK_FIELDS = {"within_seconds", "waiting_seconds", "state", "readings"}
NO_READINGS = {
    "count": 0, "late": 0, "p50_seconds": None, "p95_seconds": None, "p99_seconds": None,
    "max_seconds": None,
}  # fmt: skip


@pytest.fixture
def freshness(client: httpx2.Client) -> Callable[[], tuple[dict[str, Any], dict[str, Any]]]:
    """Request the freshness of the handbook: the whole response, and its only source."""

    def ask() -> tuple[dict[str, Any], dict[str, Any]]:
        answer = client.get("/v1/collections/handbook/freshness")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        (source,) = body["sources"]
        return body, source

    return ask


@contextmanager
def changed(running: RunningService, change: str, back: str) -> Iterator[None]:
    """Change the shared index, and revert the change at the end of the block."""
    execute(running, change)
    try:
        yield
    finally:
        execute(running, back)


def execute(running: RunningService, statement: str) -> None:
    with running.service.database.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_fresh_collection_has_both_clocks_and_no_alarm(freshness):
    body, source = freshness()
    assert body.keys() == {"collection", "is_fresh", "sources", "alarms", "alarm_details"}
    assert body["alarms"] == body["alarm_details"] == []
    assert (body["collection"], body["is_fresh"]) == ("handbook", True)
    assert source.keys() == {
        "source", "listed_at", "proven_at", "unreachable_since", "visible", "forgotten", "held",
        "proof", "alarms", "alarm_details",
    }  # fmt: skip
    assert (source["source"], source["held"], source["alarms"]) == (SOURCE, None, [])
    for name in ("visible", "forgotten"):
        clock = source[name]
        assert clock.keys() == CLOCK_FIELDS
        assert (clock["within_seconds"], clock["waiting_seconds"]) == (21_600, 0)
        # The first listing of a source is not a change.
        assert clock["readings"] == NO_READINGS
    listed_at = datetime.fromisoformat(source["listed_at"])
    assert datetime.fromisoformat(source["proven_at"]) <= listed_at < datetime.now(UTC)


def test_collection_that_was_never_synced_is_not_fresh(client: httpx2.Client):
    answer = client.get("/v1/collections/unsynced/freshness")
    assert answer.status_code == 200
    assert answer.json() == {
        "collection": "unsynced", "is_fresh": False, "sources": [], "alarms": [],
        "alarm_details": [],
    }  # fmt: skip


def test_unknown_collection_is_a_problem_that_lists_the_known_ones(client: httpx2.Client):
    answer = client.get("/v1/collections/nothing/freshness")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:ragline:problem:unknown-collection"
    assert "handbook" in problem["detail"]


def test_unreachable_source_is_an_alarm_until_it_answers(freshness, running: RunningService):
    database = running.service.database
    record_unreachable(database, running.configuration.source(SOURCE), "the disk is gone")
    try:
        body, source = freshness()
    finally:
        record_reachable(database, SOURCE)
    assert not body["is_fresh"]
    (alarm,) = source["alarms"]
    assert "cannot be reached since" in alarm
    assert "the disk is gone" in alarm
    away_for = datetime.now(UTC) - datetime.fromisoformat(source["unreachable_since"])
    assert timedelta(0) <= away_for < timedelta(minutes=1)
    assert freshness()[0]["is_fresh"]


def test_held_removals_are_listed_and_stay_on_the_clock(freshness, running: RunningService):
    change = (
        "update ragline.documents set held_since = now() - interval '361 minutes' "
        "where document_id in ('leave', 'canteen')"
    )
    with changed(running, change, "update ragline.documents set held_since = null"):
        body, source = freshness()
    assert not body["is_fresh"]
    assert (source["held"]["count"], source["held"]["documents"]) == (2, ["canteen", "leave"])
    assert source["forgotten"]["state"] == "late"
    assert 21_660 <= source["forgotten"]["waiting_seconds"] < 21_720
    assert source["visible"]["state"] == "kept"
    # The waiting removals are held. There is one alarm, for the held removals.
    (held,) = source["alarm_details"]
    assert held["name"] == "removals_held"
    assert held["documents"] == ["canteen", "leave"]
    assert f"ragline confirm-removals {SOURCE}" in held["remedy"]
    assert source["alarms"] == [held["text"]]


def test_change_that_waits_too_long_is_an_alarm(freshness, running: RunningService):
    change = (
        "update ragline.documents set state = 'pending', "
        "clock_started_at = now() - interval '361 minutes' where document_id = 'leave'"
    )
    back = (
        "update ragline.documents set state = 'ready', clock_started_at = null "
        "where document_id = 'leave'"
    )
    with changed(running, change, back):
        body, source = freshness()
    assert not body["is_fresh"]
    assert source["visible"]["state"] == "late"
    (alarm,) = source["alarm_details"]
    assert (alarm["name"], alarm["severity"]) == ("change_late", "warning")
    assert (alarm["documents"], alarm["source"]) == (["leave"], SOURCE)
    assert "21600 s (6 hours)" in alarm["text"]
    assert source["alarms"] == [alarm["text"]]


def test_clock_of_an_unchecked_source_is_unproven(freshness, running: RunningService):
    change = "update ragline.sources set proven_at = proven_at - interval '7 hours'"
    back = "update ragline.sources set proven_at = proven_at + interval '7 hours'"
    with changed(running, change, back):
        _, source = freshness()
    assert source["visible"]["state"] == source["forgotten"]["state"] == "unproven"


def test_last_proof_is_returned_with_its_differences(freshness, running: RunningService):
    database = running.service.database
    try:
        prove(running, "proof-1")
        body, source = freshness()
        assert body["is_fresh"]
        proof = source["proof"]
        assert datetime.fromisoformat(proof.pop("proven_at")) <= datetime.now(UTC)
        assert proof == {
            "holds": True, "is_listed": True, "documents": 10, "hashed_documents": 10,
            "entries": 10, "largest_unseen_ratio": 0.0, "difference_count": 0,
        }  # fmt: skip
        execute(running, "update ragline.sync_proofs set difference_count = 3")
        body, source = freshness()
        assert (body["is_fresh"], source["proof"]["holds"]) == (False, False)
        assert source["alarms"][0].startswith("3 differences between source, ledger and index")
    finally:
        with database.begin() as connection:
            connection.execute(text("delete from ragline.sync_proofs"))


def prove(running: RunningService, run_id: str) -> None:
    with RunContext(running.configuration, running.service.database, run_id) as run_context:
        assert prove_source(run_context, SOURCE).holds
