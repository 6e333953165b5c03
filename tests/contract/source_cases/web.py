"""A server on this machine with a start page that links to one more page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from page_server import PageServer, serve_pages

from ragline.storage.database import Database


class Case:
    def __init__(self, server: PageServer) -> None:
        self._server = server
        self._write("alpha")
        server.pages["/b"] = "<p>beta</p>"
        self.settings: dict[str, Any] = {
            "start": [server.url],
            "requests_per_second": 1000,
            "attempts": 1,
        }

    def edit(self) -> None:
        self._write("gamma")

    def empty(self) -> None:
        """Leave one page with `noindex`."""
        self._server.pages["/"] = '<meta name="robots" content="noindex"><p>nothing</p>'

    def restore(self) -> None:
        self._write("alpha")

    def go_away(self) -> None:
        self._server.stop()

    def _write(self, text: str) -> None:
        self._server.pages["/"] = f'<p>{text}, and <a href="/b">more</a></p>'


@contextmanager
def start(folder: Path, database: Database) -> Iterator[Case]:  # noqa: ARG001
    with serve_pages() as server:
        yield Case(server)
