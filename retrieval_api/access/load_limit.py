"""Sheds load: refuses a request at once if it could not be answered in time.

Little's law gives the expected wait. The wait is the number of requests in progress, divided by the
number of responses per second. Accepted requests run in the order of their arrival. The number of
requests that run at the same time is limited. With more threads, the requests would share the
processor, and some would take seconds longer.
"""

from __future__ import annotations

import os
import re
from asyncio import Semaphore
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval_api.problems import OVERLOADED, answer_problem

MAX_WAIT_S = 3.0
# This many requests are always accepted, regardless of the response rate.
MIN_ADMITTED_REQUESTS = 8
# This number of requests uses every core, even while some of them wait for the database.
MAX_CONCURRENT_REQUESTS = 4 * (os.cpu_count() or 1)
# The response rate is measured over this many responses. The initial rate is an assumption.
RATE_WINDOW_RESPONSES = 64
INITIAL_RATE_PER_S = 20.0
# The paths of requests that use the processor or the database for more than a few milliseconds.
EXPENSIVE_PATH = re.compile(
    r"/v[12]/(search(/explain)?|rerank|embeddings|vector_stores/[^/]+/search"
    r"|collections/[^/]+/golden-proposals(/[^/]+)?)|/mcp|/review|/",
    re.DOTALL,
)


class Queue:
    """The number of requests in progress, and the response rate. Use it in one event loop only."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.in_progress_count = 0
        self._clock = clock
        self._busy_since = 0.0
        # Seconds between responses. Idle time does not count.
        self._gaps: deque[float] = deque(maxlen=RATE_WINDOW_RESPONSES)

    def is_full(self) -> bool:
        """Whether another request would wait too long."""
        if self.in_progress_count < MIN_ADMITTED_REQUESTS:
            return False
        return self.in_progress_count > self._rate() * MAX_WAIT_S

    def begin(self) -> None:
        if self.in_progress_count == 0:
            self._busy_since = self._clock()
        self.in_progress_count += 1

    def end(self) -> None:
        self.in_progress_count -= 1
        now = self._clock()
        self._gaps.append(now - self._busy_since)
        self._busy_since = now

    def _rate(self) -> float:
        """Return the responses per second while requests are in progress."""
        if not self._gaps:
            return INITIAL_RATE_PER_S
        return len(self._gaps) / max(sum(self._gaps), 1e-6)


class LoadLimit:
    """Middleware that answers 503 with Retry-After when the queue is too long.

    At most MAX_CONCURRENT_REQUESTS requests run at the same time. A request starts to run after its
    body was received. As soon as its response starts, another request can run. So the time of the
    transfers does not count.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._queue = Queue()
        self._slots = Semaphore(MAX_CONCURRENT_REQUESTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or EXPENSIVE_PATH.fullmatch(scope["path"]) is None:
            await self._app(scope, receive, send)
            return
        if self._queue.is_full():
            await _refuse(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        if self._queue.is_full():
            await _refuse(scope, receive, send)
            return
        await self._serve(scope, _repeat(body, receive), send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as slot:
            self._queue.begin()
            slot.callback(self._queue.end)
            await self._slots.acquire()
            slot.callback(self._slots.release)

            async def release_and_send(message: Message) -> None:
                slot.close()
                await send(message)

            await self._app(scope, receive, release_and_send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    detail = f"The service has more requests than it can answer within {MAX_WAIT_S:g} s."
    await answer_problem(scope, OVERLOADED, detail)(scope, receive, send)


async def _read_body(receive: Receive) -> bytes | None:
    """Read the whole body. Returns None if the client disconnected. `BodyLimit` limits the size."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _repeat(body: bytes, receive: Receive) -> Receive:
    messages: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> Message:
        return messages.popleft() if messages else await receive()

    return receive_again
