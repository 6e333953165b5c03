"""Shuts down a connection if its server does not respond in time.

Postgres itself ends a statement at its time limit. But if the server hangs, or if the network loses
the response, a client would wait forever. So one thread watches all connections. When it shuts
down a connection, the statement of that connection fails as if the server had stopped.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from math import inf
from threading import TIMEOUT_MAX, Condition, Thread
from time import monotonic


class Watchdog:
    """Shuts down connections that are watched for too long. Several threads can use it."""

    def __init__(self) -> None:
        self._numbers = count()
        self._watched: dict[int, tuple[float, int]] = {}
        self._changed = Condition()
        self._wakes_at = inf
        self._thread: Thread | None = None

    @contextmanager
    def watch(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Shut down this descriptor's connection if the block takes longer than `seconds`."""
        number = next(self._numbers)
        ends_at = monotonic() + seconds
        with self._changed:
            self._watched[number] = (ends_at, descriptor)
            self._start()
            # A notification costs a thread switch in each search, so it is sent only if needed.
            if ends_at < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            # With this lock, the thread cannot shut down a descriptor that was closed and that
            # another connection uses now.
            with self._changed:
                self._watched.pop(number, None)

    def _start(self) -> None:
        # A forked child does not have the thread.
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="ragline-watchdog", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self._changed:
            while True:
                now = monotonic()
                for number, (ends_at, descriptor) in list(self._watched.items()):
                    if ends_at <= now:
                        del self._watched[number]
                        _shut_down(descriptor)
                ends = (ends_at for ends_at, _ in self._watched.values())
                self._wakes_at = min(ends, default=inf)
                self._changed.wait(min(self._wakes_at - now, TIMEOUT_MAX))


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
