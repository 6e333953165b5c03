"""The end of waiting for a server that says nothing: a connection is cut off after a while.

Postgres ends a statement at its own time limit, but a server that is frozen, or a network that
swallows its answer, keeps the client waiting for ever. One thread looks after all connections that
are watched; cutting one off makes its statement fail as when the server had gone away.
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
    """Cuts off connections that are watched for too long. Safe to use from several threads."""

    def __init__(self) -> None:
        self._numbers = count()
        self._watched: dict[int, tuple[float, int]] = {}
        self._changed = Condition()
        self._wakes_at = inf
        self._thread: Thread | None = None

    @contextmanager
    def watch(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Cut the connection of a socket's descriptor off when the block takes longer."""
        number = next(self._numbers)
        ends_at = monotonic() + seconds
        with self._changed:
            self._watched[number] = (ends_at, descriptor)
            self._start()
            # To wake the thread costs each search a switch of threads, and is seldom needed.
            if ends_at < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            # The thread cuts under the same lock: never a descriptor that is another's by now.
            with self._changed:
                self._watched.pop(number, None)

    def _start(self) -> None:
        # A fork has no threads but its own.
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._look, name="ragline-watchdog", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        with self._changed:
            while True:
                now = monotonic()
                for number, (ends_at, descriptor) in list(self._watched.items()):
                    if ends_at <= now:
                        del self._watched[number]
                        _cut_off(descriptor)
                ends = (ends_at for ends_at, _ in self._watched.values())
                self._wakes_at = min(ends, default=inf)
                self._changed.wait(min(self._wakes_at - now, TIMEOUT_MAX))


def _cut_off(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
