"""Limits the rate of requests to a host by a minimum interval between two requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """A monotonic clock in seconds, and a function that sleeps. Tests replace both."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class RateLimit:
    """A minimum interval between the starts of two requests.

    A token bucket would have the same average rate, but its bursts would load a small server.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1 / per_second
        self._clock = clock
        self._next_start_s = clock.monotonic()

    def raise_interval(self, interval_s: float) -> None:
        """Use at least this interval from now on. A longer interval stays as it is."""
        self._interval_s = max(self._interval_s, interval_s)

    def wait(self) -> None:
        """Sleep until the next request may start."""
        pause = self._next_start_s - self._clock.monotonic()
        if pause > 0:
            self._clock.sleep(pause)
        self._next_start_s = self._clock.monotonic() + self._interval_s
