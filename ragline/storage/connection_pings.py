"""Pings: the pool tests a connection before it hands the connection out.

A ping is a round trip. A caller that can repeat its work on a new connection needs no ping.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

from sqlalchemy import Engine

from ragline.storage.connection_watchdog import Watchdog

# An answer takes less than a millisecond. A server that needs longer than this does not respond.
MAX_PING_S = 2.0


class _Trust(local):
    """Whether this thread trusts the connections of the pool."""

    is_given = False


_trust = _Trust()


def limit_pings(engine: Engine, watchdog: Watchdog) -> None:
    """Limit the time that a ping takes. In the block of `trusting`, a ping does nothing."""
    ping = engine.dialect.do_ping

    def ping_briefly(driver: Any) -> bool:
        if _trust.is_given:
            return True
        with watchdog.watch(driver.fileno(), MAX_PING_S):
            return ping(driver)

    engine.dialect.do_ping = ping_briefly  # type: ignore[method-assign,assignment]


@contextmanager
def trusting(is_trusting: bool = True) -> Iterator[None]:
    """Take connections of the pool in this thread without a ping. They can be broken."""
    before = _trust.is_given
    _trust.is_given = is_trusting
    try:
        yield
    finally:
        _trust.is_given = before
