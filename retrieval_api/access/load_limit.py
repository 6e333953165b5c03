"""Load shedding: what could not be answered in time is refused at once.

How long a request would wait is told by Little's law: those that are being answered or wait,
divided by how many are answered a second. Who is let in gets a turn in the order of coming: more
threads than the processor can serve would only share it, and some of them wait for seconds longer.
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
# So many are always let in, whatever the last ones took.
MIN_ADMITTED_REQUESTS = 8
# Enough to use every core while others wait for the database.
MAX_CONCURRENT_REQUESTS = 4 * (os.cpu_count() or 1)
# The rate is that of the last so many answers; before the first one it is assumed.
RATE_WINDOW_RESPONSES = 64
INITIAL_RATE_PER_S = 20.0
# What costs the processor or the database more than a moment.
EXPENSIVE_PATH = re.compile(
    r"/v[12]/(search|rerank|embeddings|vector_stores/[^/]+/search)|/mcp|/", re.DOTALL
)


class Queue:
    """How many requests are under way, and how fast they are answered. Of one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.in_progress_count = 0
        self._clock = clock
        self._busy_since = 0.0
        # Seconds of work from one answer to the next; idle time is none.
        self._gaps: deque[float] = deque(maxlen=RATE_WINDOW_RESPONSES)

    def is_full(self) -> bool:
        """Whether one more would wait for too long."""
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
        """Answers a second while there is work."""
        if not self._gaps:
            return INITIAL_RATE_PER_S
        return len(self._gaps) / max(sum(self._gaps), 1e-6)


class LoadLimit:
    """Middleware that answers 503 with Retry-After instead of letting a queue grow.

    Only what the service does itself counts: a client that sends slowly has no turn yet, and one
    that reads slowly has it no more.
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
        with ExitStack() as held:
            self._queue.begin()
            held.callback(self._queue.end)
            await self._slots.acquire()
            held.callback(self._slots.release)

            async def send_and_let_go(message: Message) -> None:
                held.close()
                await send(message)

            await self._app(scope, receive, send_and_let_go)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    detail = f"More is asked than can be answered within {MAX_WAIT_S:g} s."
    await answer_problem(scope, OVERLOADED, detail)(scope, receive, send)


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, whose size is limited elsewhere; None when the client left."""
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
