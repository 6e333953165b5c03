"""Faults under load: no wrong answer, quick recovery, and no loss of acknowledged feedback.

Callers ask in a closed loop while something breaks. What they may get is the right answer, or 503
or 429; soon after the fault is over, right answers alone.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx2
import pytest
from conftest import index_handbook, sync_everything
from running_service import RunningService, run_service, wait_until
from sqlalchemy import text
from test_service_outage import stopped_postgres

from ragline.configuration import ChunkingSettings
from ragline.embedder.embedder import Embedder

QUESTIONS = {
    "forgotten password": "password",
    "lunch with vegetables": "canteen",
    "where may I leave my bicycle": "parking",
    "how many weeks of leave do parents get": "leave",
}
CALLERS = 4
RECOVERY_S = 5.0


@pytest.fixture(scope="module")
def breakable(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: Embedder,
) -> Iterator[RunningService]:
    """A service with its own Postgres, which this module breaks."""
    folder = tmp_path_factory.mktemp("faults")
    copy_prepared_home(folder / "home")
    configuration = index_handbook(folder, embedder)
    with run_service(configuration) as running:
        wait_until(lambda: httpx2.get(f"{running.url}/readyz", timeout=60).status_code == 200)
        yield running


@dataclass
class Load:
    """The responses: (time, status, whether it was right), and the acknowledged feedback."""

    seen: list[tuple[float, int, bool]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    over: Event = field(default_factory=Event)

    def ask(self, url: str) -> None:
        """Search and give feedback until the load ends."""
        with httpx2.Client(base_url=url, timeout=30) as client:
            while not self.over.is_set():
                for query, expected in QUESTIONS.items():
                    body = {"collection": "handbook", "query": query, "top_k": 3}
                    answer = client.post("/v1/search", json=body)
                    self._note(client, answer, expected)

    def _note(self, client: httpx2.Client, answer: httpx2.Response, expected: str) -> None:
        is_right = False
        if answer.status_code == 200:
            found = answer.json()
            is_right = found["hits"][0]["document_id"] == expected
            feedback = {
                "request_id": found["request_id"], "document_id": expected, "kind": "useful"
            }  # fmt: skip
            given = client.post("/v1/feedback", json=feedback)
            # 404 would mean that the record of an answered search was lost.
            assert given.status_code in (200, 429, 503), given.text
            if given.status_code == 200:
                self.acknowledged.add(found["request_id"])
        self.seen.append((time.monotonic(), answer.status_code, is_right))


@contextmanager
def under_load(running: RunningService) -> Iterator[Load]:
    """Callers search within the block. Their errors are raised at its end."""
    load = Load()
    with ThreadPoolExecutor(CALLERS) as pool:
        callers: list[Future[None]] = [pool.submit(load.ask, running.url) for _ in range(CALLERS)]
        try:
            wait_until(lambda: len(load.seen) >= 2 * CALLERS)
            yield load
        finally:
            load.over.set()
        for caller in callers:
            caller.result()


def restart_postgres(running: RunningService) -> None:
    with stopped_postgres(running.configuration.home):
        time.sleep(1)


def switch_generation(running: RunningService, embedder: Embedder) -> None:
    (handbook, *others) = running.configuration.collections
    cut = handbook.model_copy(update={"chunking": ChunkingSettings(max_tokens=64)})
    changed = running.configuration.model_copy(update={"collections": (cut, *others)})
    sync_everything(changed, embedder)


def lock_records(running: RunningService) -> None:
    with running.service.database.begin() as connection:
        connection.execute(text("lock table ragline.search_requests in access exclusive mode"))
        time.sleep(3)


def never_read(running: RunningService) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    body = json.dumps({"collection": "handbook", "query": "leave", "top_k": 100}).encode()
    head = f"POST /v1/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    request = head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with ExitStack() as sockets:
        for _ in range(20):
            silent = sockets.enter_context(socket.create_connection((host, int(port)), timeout=5))
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            silent.sendall(request * 20)
        time.sleep(2)


Fault = Callable[[RunningService], None]


@pytest.mark.parametrize("name", ["restart", "generation", "lock", "silent clients"])
def test_answers_are_right_after_a_fault_under_load(
    breakable: RunningService, embedder: Embedder, name: str
) -> None:
    faults: dict[str, Fault] = {
        "restart": restart_postgres,
        "generation": lambda running: switch_generation(running, embedder),
        "lock": lock_records,
        "silent clients": never_read,
    }
    with under_load(breakable) as load:
        faults[name](breakable)
        ended = time.monotonic()
        wait_until(lambda: sum(when > ended + RECOVERY_S for when, _, _ in load.seen) >= CALLERS)
    assert {status for _, status, _ in load.seen} <= {200, 429, 503}
    assert all(is_right for _, status, is_right in load.seen if status == 200)
    late = [status for when, status, _ in load.seen if when > ended + RECOVERY_S]
    assert late
    assert set(late) == {200}
    if name in ("generation", "silent clients"):
        assert {status for _, status, _ in load.seen} == {200}
    wait_until(lambda: breakable.service.recorder.waiting_count == 0)
    assert read_feedback(breakable) >= load.acknowledged
    assert load.acknowledged


def read_feedback(running: RunningService) -> set[str]:
    with running.service.database.connect() as connection:
        kept = connection.execute(text("select request_id::text from ragline.feedback"))
        return set(kept.scalars())
