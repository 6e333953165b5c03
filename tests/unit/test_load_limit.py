"""When a request is refused because it would wait for too long."""

from __future__ import annotations

import pytest

from retrieval_api.load_limit import ALWAYS_ADMITTED, ASSUMED_RATE, COSTLY, LONGEST_WAIT_S, Queue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fill(queue: Queue) -> int:
    """How many are let in before one is refused."""
    while not queue.is_full():
        queue.begin()
        assert queue.under_way < 10_000
    return queue.under_way


def test_before_the_first_answer_a_rate_is_assumed() -> None:
    assert fill(Queue(Clock())) == pytest.approx(ASSUMED_RATE * LONGEST_WAIT_S, abs=1)


@pytest.mark.parametrize("rate", [1, 5, 50, 400])
def test_as_many_are_let_in_as_can_be_answered_in_time(rate: int) -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(200):
        queue.begin()
        clock.now += 1 / rate
        queue.end()
    expected = max(rate * LONGEST_WAIT_S, ALWAYS_ADMITTED)
    assert fill(queue) == pytest.approx(expected, rel=0.25, abs=1)


def test_idle_time_is_no_slowness() -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(64):
        clock.now += 5
        queue.begin()
        clock.now += 0.02
        queue.end()
    assert fill(queue) == pytest.approx(50 * LONGEST_WAIT_S, abs=1)


def test_answers_side_by_side_count_together() -> None:
    clock = Clock()
    queue = Queue(clock)
    for _ in range(30):
        queue.begin()
        queue.begin()
        clock.now += 0.1
        queue.end()
        queue.end()
    assert fill(queue) == pytest.approx(20 * LONGEST_WAIT_S, abs=1)


def test_queue_is_open_again_when_it_is_empty() -> None:
    queue = Queue(Clock())
    for _ in range(fill(queue)):
        queue.end()
    assert not queue.is_full()


@pytest.mark.parametrize(
    ("path", "is_costly"),
    [
        ("/v1/search", True),
        ("/v2/rerank", True),
        ("/v1/vector_stores/handbook/search", True),
        ("/mcp", True),
        ("/healthz", False),
        ("/metrics", False),
        ("/v1/feedback", False),
        ("/v1/collections/search/documents/a", False),
    ],
)
def test_only_what_is_costly_is_ever_refused(path: str, is_costly: bool) -> None:
    assert (COSTLY.fullmatch(path) is not None) == is_costly
