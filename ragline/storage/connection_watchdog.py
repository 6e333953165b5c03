"""A time limit for connections to a server that does not respond.

Postgres ends a statement at its time limit. With a server that hangs, or a network that loses the
answer, a client would wait forever. One thread watches all connections. When it shuts a connection
down, its statement fails as if the server had stopped.
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
    """Shuts down connections that are watched for too long. Thread-safe."""

    def __init__(self) -> None:
        self._numbers = count()
        self._watched: dict[int, tuple[float, int]] = {}
        self._changed = Condition()
        self._wakes_at = inf
        self._thread: Thread | None = None

    @contextmanager
    def watch(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Shut down the connection with this file descriptor if the block takes longer."""
        number = next(self._numbers)
        ends_at = monotonic() + seconds
        with self._changed:
            self._watched[number] = (ends_at, descriptor)
            self._start()
            # Waking the thread costs a thread switch in each search and is rarely needed.
            if ends_at < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            # Under the same lock, the descriptor cannot belong to another connection.
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
