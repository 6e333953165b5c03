"""The real server in a thread of the test process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from ragline.configuration import Configuration
from ragline.sources.push.settings import PushSettings
from retrieval_api.commands import build_server
from retrieval_api.service import Service

INBOX = PushSettings(
    name="inbox",
    collection="pushed",
    kind="push",
    max_document_bytes=3_000_000,
    visible_within="1m",
    forgotten_within="2m",
)


@dataclass(frozen=True)
class RunningService:
    """A service under test."""

    url: str
    app: FastAPI
    configuration: Configuration

    @property
    def service(self) -> Service:
        """The parts that the routes use."""
        service: Service = self.app.state.service
        return service


def wait_until(is_true: Callable[[], bool], timeout_s: float = 180.0) -> None:
    """Return when the condition is true. Fail when it is not true in time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


@contextmanager
def run_service(configuration: Configuration) -> Iterator[RunningService]:
    """The real server in a thread of this process, as `ragline serve` builds it."""
    server = build_server(configuration)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            port = listener.getsockname()[1]
            yield RunningService(f"http://127.0.0.1:{port}", server.config.app, configuration)
        finally:
            server.should_exit = True
            thread.join(30)
