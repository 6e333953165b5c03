"""Load shedding: what could not be answered in time is refused at once.

How long a request would wait is told by Little's law: those that are being answered or wait,
divided by how many are answered a second.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from retrieval_api.problems import OVERLOADED, answer_problem

LONGEST_WAIT_S = 3.0
# So many are always let in, whatever the last ones took.
ALWAYS_ADMITTED = 8
# The rate is that of the last so many answers; before the first one it is assumed.
REMEMBERED_ANSWERS = 64
ASSUMED_RATE = 20.0
# What costs the processor or the database more than a moment.
COSTLY = re.compile(
    r"/v[12]/(search|rerank|embeddings|vector_stores/[^/]+/search)|/mcp|/", re.DOTALL
)


class Queue:
    """How many requests are under way, and how fast they are answered. Of one event loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.under_way = 0
        self._clock = clock
        self._busy_since = 0.0
        # Seconds of work from one answer to the next; idle time is none.
        self._gaps: deque[float] = deque(maxlen=REMEMBERED_ANSWERS)

    def is_full(self) -> bool:
        """Whether one more would wait for too long."""
        if self.under_way < ALWAYS_ADMITTED:
            return False
        return self.under_way > self._rate() * LONGEST_WAIT_S

    def begin(self) -> None:
        if self.under_way == 0:
            self._busy_since = self._clock()
        self.under_way += 1

    def end(self) -> None:
        self.under_way -= 1
        now = self._clock()
        self._gaps.append(now - self._busy_since)
        self._busy_since = now

    def _rate(self) -> float:
        """Answers a second while there is work."""
        if not self._gaps:
            return ASSUMED_RATE
        return len(self._gaps) / max(sum(self._gaps), 1e-6)


class LoadLimit:
    """Middleware that answers 503 with Retry-After instead of letting a queue grow."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._queue = Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or COSTLY.fullmatch(scope["path"]) is None:
            await self._app(scope, receive, send)
            return
        if self._queue.is_full():
            detail = f"More is asked than can be answered within {LONGEST_WAIT_S:g} s."
            await answer_problem(scope, OVERLOADED, detail)(scope, receive, send)
            return
        self._queue.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._queue.end()
