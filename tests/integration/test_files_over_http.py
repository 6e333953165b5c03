"""Files below the index page of a web server, with a real HTTP client and server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragline.errors import SourceUnavailableError
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.source import FilesSource
from ragline.sources.protocol import FailedFetch, FetchedDocument


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder without a log; `is_silent` omits the times of change."""

    is_silent = False

    def log_message(self, *arguments: object) -> None:
        pass

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "Last-Modified" or not self.is_silent:
            super().send_header(keyword, value)


class SilentHandler(Handler):
    is_silent = True


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {"a.md": "alpha", "deep/b.md": "beta"}.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "tree"


@pytest.fixture(params=[Handler, SilentHandler])
def address(request, tree) -> Iterator[str]:
    handler = partial(request.param, directory=os.fspath(tree))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def open_address(uri: str, **settings: object) -> FilesSource:
    return FilesSource(FilesSettings(name="s", collection="c", kind="files", uri=uri, **settings))


def versions(source: FilesSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


def test_edit_changes_the_version_with_and_without_dates_from_the_server(address, tree):
    source = open_address(address)
    before = versions(source)
    assert before.keys() == {"a.md", "deep/b.md"}
    assert versions(source) == before
    (tree / "a.md").write_text("gamma", encoding="utf-8")
    os.utime(tree / "a.md", (1_000_000_000, 1_000_000_000))
    after = versions(source)
    assert after["a.md"] != before["a.md"]
    assert after["deep/b.md"] == before["deep/b.md"]
    (fetched,) = source.fetch_documents(["a.md"])
    assert isinstance(fetched, FetchedDocument)
    assert fetched.content == b"gamma"


def test_removed_file_only_fails_itself(address, tree):
    source = open_address(address)
    (tree / "a.md").unlink()
    gone, there = source.fetch_documents(["a.md", "deep/b.md"])
    assert isinstance(gone, FailedFetch)
    assert isinstance(there, FetchedDocument)


def test_server_without_the_folder_is_unavailable(address):
    with pytest.raises(SourceUnavailableError):
        list(open_address(address + "gone/").list_documents())


def test_name_and_password_in_the_address_are_not_shown():
    source = open_address("http://someone:hunter2@127.0.0.1:9/")
    with pytest.raises(SourceUnavailableError) as caught:
        list(source.list_documents())
    assert "hunter2" not in str(caught.value)
