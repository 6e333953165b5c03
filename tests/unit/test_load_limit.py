"""A request is refused when it would wait too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from retrieval_api.access.load_limit import (
    EXPENSIVE_PATH,
    INITIAL_RATE_PER_S,
    MAX_CONCURRENT_REQUESTS,
    MAX_WAIT_S,
    MIN_ADMITTED_REQUESTS,
    LoadLimit,
    Queue,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fill(queue: Queue) -> int:
    """How many requests are accepted before one is refused."""
    while not queue.is_full():
        queue.begin()
        assert queue.in_progress_count < 10_000
    return queue.in_progress_count


def test_initial_rate_is_used_before_the_first_response() -> None:
    assert fill(Queue(Clock())) == pytest.approx(INITIAL_RATE_PER_S * MAX_WAIT_S, abs=1)


@pytest.mark.parametrize("rate", [1, 5, 50, 400])
def test_number_of_accepted_requests_follows_the_rate(rate: int) -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(200):
        queue.begin()
        clock.now += 1 / rate
        queue.end()
    expected = max(rate * MAX_WAIT_S, MIN_ADMITTED_REQUESTS)
    assert fill(queue) == pytest.approx(expected, rel=0.25, abs=1)


def test_idle_time_does_not_lower_the_rate() -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(64):
        clock.now += 5
        queue.begin()
        clock.now += 0.02
        queue.end()
    assert fill(queue) == pytest.approx(50 * MAX_WAIT_S, abs=1)


def test_concurrent_responses_count_together() -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(30):
        queue.begin()
        queue.begin()
        clock.now += 0.1
        queue.end()
        queue.end()
    assert fill(queue) == pytest.approx(20 * MAX_WAIT_S, abs=1)


def test_queue_is_open_again_when_it_is_empty() -> None:
    queue = Queue(Clock())
    for _ in range(fill(queue)):
        queue.end()
    assert not queue.is_full()


@pytest.mark.parametrize(
    ("path", "is_expensive"),
    [
        ("/v1/search", True),
        ("/v1/search/explain", True),
        ("/v2/rerank", True),
        ("/v1/vector_stores/handbook/search", True),
        ("/mcp", True),
        ("/review", True),
        ("/v1/collections/handbook/golden-proposals", True),
        ("/v1/collections/handbook/golden-proposals/q-1", True),
        ("/healthz", False),
        ("/metrics", False),
        ("/v1/feedback", False),
        ("/v1/collections/search/documents/a", False),
    ],
)
def test_only_expensive_requests_are_refused(path: str, is_expensive: bool) -> None:
    assert (EXPENSIVE_PATH.fullmatch(path) is not None) == is_expensive


async def search(
    limit: LoadLimit, receive: Receive, send: Callable[[Message], Awaitable[None]]
) -> None:
    scope = {"type": "http", "path": "/v1/search", "method": "POST", "headers": [], "state": {}}
    await limit(scope, receive, send)


async def receive_at_once() -> Message:
    return {"type": "http.request", "body": b"{}", "more_body": False}


def test_slots_are_given_in_order_of_arrival_and_never_more_than_the_maximum() -> None:
    began: list[int] = []
    most = now = 0

    async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal most, now
        began.append(int((await receive())["body"]))
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(limit: LoadLimit, number: int) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": str(number).encode(), "more_body": False}

        async def send(_message: Message) -> None:
            pass

        await search(limit, receive, send)

    async def ask_all() -> None:
        limit = LoadLimit(answer)
        await asyncio.gather(*(ask(limit, number) for number in range(5 * MAX_CONCURRENT_REQUESTS)))

    asyncio.run(ask_all())
    assert began == sorted(began)
    assert len(began) == 5 * MAX_CONCURRENT_REQUESTS
    assert most == MAX_CONCURRENT_REQUESTS


@pytest.mark.parametrize("slow", ["to send", "to read"])
def test_slow_clients_use_no_slot(slow: str) -> None:
    async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask_all() -> list[int]:
        limit = LoadLimit(answer)
        for_ever = asyncio.Event()
        statuses: list[int] = []

        async def note(message: Message) -> None:
            statuses.append(message["status"])

        async def wait(_message: Message | None = None) -> Message:
            await for_ever.wait()
            raise AssertionError

        async def stay(message: Message) -> None:
            await wait(message)

        slowly = (wait, note) if slow == "to send" else (receive_at_once, stay)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            waiting = [
                tasks.create_task(search(limit, *slowly))
                for _ in range(100 * MAX_CONCURRENT_REQUESTS)
            ]
            await asyncio.sleep(0)
            for _ in range(10):
                await search(limit, receive_at_once, note)
            for one in waiting:
                one.cancel()
        return statuses

    assert asyncio.run(ask_all()) == [200] * 10
