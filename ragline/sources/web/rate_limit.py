"""How fast a host is asked: one request after the other, with a pause between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds that only go forward, and a way to let some pass."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """At least so much time between the beginnings of two requests.

    A bucket that lets several through at once would keep the same average; a small server
    notices the bursts.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1 / per_second
        self._clock = clock
        self._free_at = clock.monotonic()

    def slow_to(self, interval_s: float) -> None:
        """Let at least this much time pass from now on; what is slower already stays so."""
        self._interval_s = max(self._interval_s, interval_s)

    def wait(self) -> None:
        """Come back when the next request may begin."""
        pause = self._free_at - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)
        self._free_at = self._clock.monotonic() + self._interval_s
