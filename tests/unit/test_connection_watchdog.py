"""A connection over its limit is shut down, and no other connection is."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ragline.storage.connection_watchdog import Watchdog


def test_silent_connection_is_shut_down_after_its_limit() -> None:
    watchdog = Watchdog()
    near, far = socket.socketpair()
    with near, far, watchdog.watch(near.fileno(), 0.2):
        started = time.monotonic()
        assert near.recv(1) == b""
        assert 0.15 < time.monotonic() - started < 5


def test_fast_connection_is_not_shut_down() -> None:
    watchdog = Watchdog()
    near, far = socket.socketpair()
    with near, far:
        with watchdog.watch(near.fileno(), 0.1):
            pass
        time.sleep(0.3)
        far.send(b"x")
        assert near.recv(1) == b"x"


def test_earlier_limit_ends_first() -> None:
    watchdog = Watchdog()
    late, other = socket.socketpair()
    soon, another = socket.socketpair()
    with late, other, soon, another, watchdog.watch(late.fileno(), 60):
        time.sleep(0.05)
        started = time.monotonic()
        with watchdog.watch(soon.fileno(), 0.1):
            assert soon.recv(1) == b""
        assert time.monotonic() - started < 5
        late.setblocking(False)
        with pytest.raises(BlockingIOError):
            late.recv(1)


def test_many_connections_need_one_thread() -> None:
    watchdog = Watchdog()
    pairs = [socket.socketpair() for _ in range(50)]
    before = threading.active_count()
    for near, _ in pairs:
        with watchdog.watch(near.fileno(), 1):
            pass
    assert threading.active_count() <= before + 1
    for near, far in pairs:
        near.close()
        far.close()
