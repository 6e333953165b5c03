"""How often a key may ask: a token bucket for each, in this process.

Two processes of the service each give a key its whole rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from time import monotonic

from ragline.access.keys import Key
from ragline.errors import RateLimitError


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimits:
    """The buckets of all keys that asked. A bucket holds a minute's requests when it is full."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def take(self, key: Key) -> None:
        """Count one request.

        Raises:
            RateLimitError: it is one too many; it says after how many seconds to come again.
        """
        most = key.requests_per_minute
        if most is None:
            return
        now, rate = monotonic(), most / 60
        with self._lock:
            bucket = self._buckets.setdefault(key.public_id, _Bucket(most, now))
            bucket.tokens = min(most, bucket.tokens + rate * (now - bucket.filled_at))
            bucket.filled_at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return
            wait_s = (1 - bucket.tokens) / rate
        raise RateLimitError(f"the key may ask {most} times a minute", wait_s)
