"""Limits the rate of requests by a token bucket for each key.

Each process of the service has its own buckets. So a key can send requests at its full rate to each
process.
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
    """The buckets of all keys that sent a request. A full bucket contains one minute's requests."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def take(self, key: Key) -> None:
        """Count one request.

        Raises:
            RateLimitError: the key is over its limit. The error says how many seconds to wait.
        """
        limit = key.requests_per_minute
        if limit is None:
            return
        now, rate = monotonic(), limit / 60
        with self._lock:
            bucket = self._buckets.setdefault(key.public_id, _Bucket(limit, now))
            bucket.tokens = min(limit, bucket.tokens + rate * (now - bucket.filled_at))
            bucket.filled_at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return
            wait_s = (1 - bucket.tokens) / rate
        raise RateLimitError(f"the key may send {limit} requests per minute", wait_s)
