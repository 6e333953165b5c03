"""A folder loses most of its files: every report says so until a person acts."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ragline_home import Home

# Each test starts a dozen processes, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1_200)
FILES = 60
LOST = 40
CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""


@pytest.fixture
def home(tmp_path: Path, database_url: str, model_cache: Path) -> Home:
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "notes").mkdir()
    for number in range(FILES):
        text = (
            f"# Lighthouse {number}\n\n"
            f"The lighthouse number {number} is painted in colour {number}, and its "
            "keeper has written down which ships have passed it at night.\n"
        )
        (tmp_path / "notes" / name_of(number)).write_text(text, "utf-8")
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, database_url)


def name_of(number: int) -> str:
    return f"{number:02}.md"


class Service:
    """A running `ragline serve`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = self.url + path
        answer = httpx2.get(url) if body is None else httpx2.post(url, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    def freshness(self) -> tuple[bool, dict[str, Any]]:
        answer = self.ask("/v1/collections/notes/freshness")
        (source,) = answer["sources"]
        return answer["is_fresh"], source

    def search(self, number: int) -> list[str]:
        """The documents that a search for a lighthouse finds, without a limit."""
        query = f"lighthouse number {number} is painted in colour {number}"
        body = {"collection": "notes", "query": query, "top_k": 100}
        return [hit["document_id"] for hit in self.ask("/v1/search", body)["hits"]]

    def is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def serve(home: Home) -> Iterator[Service]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = home.start("serve", "--port", str(port))
    try:
        service = Service(port)
        deadline = time.monotonic() + 300
        while not service.is_ready():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the service does not become ready"
            time.sleep(0.1)
        yield service
    finally:
        process.terminate()
        process.communicate(timeout=180)


@pytest.mark.slow
def test_held_removals_are_reported_everywhere_and_released_by_one_command(home: Home):
    assert home.read("sync")["sources"]["note-files"]["added"] == FILES
    lost = [name_of(number) for number in range(LOST)]
    for name in lost:
        (home.folder / "notes" / name).unlink()

    report = home.read("sync")
    assert report["ok"]
    source = report["sources"]["note-files"]
    assert (source["listed"], source["held"], source["removed"]) == (FILES - LOST, LOST, 0)
    assert report["checks"]["failed"] == [
        {
            "asset": "note_files_documents",
            "check": "removals_are_plausible",
            "severity": "ERROR",
        }
    ]

    (known,) = home.read("status")["sources"]
    assert (known["held"]["count"], known["documents"]["ready"]) == (LOST, FILES)
    assert known["held"]["documents"] == lost[:20]
    (alarm,) = known["alarms"]
    assert "ragline confirm-removals note-files" in alarm

    with serve(home) as service:
        is_fresh, seen = service.freshness()
        assert not is_fresh
        assert (seen["held"]["count"], seen["alarms"]) == (LOST, [alarm])
        assert service.search(7)[0] == name_of(7)
        assert len(service.search(7)) == FILES

        confirmed = home.read("confirm-removals", "note-files")
        assert confirmed["source"] == "note-files"
        assert (confirmed["documents"], confirmed["entries"]) == (lost, LOST)
        assert sorted(service.search(7)) == [name_of(number) for number in range(LOST, FILES)]

        again = home.read("sync")["sources"]["note-files"]
        assert (again["listed"], again["held"], again["removed"]) == (FILES - LOST, 0, 0)
        is_fresh, seen = service.freshness()
        assert (is_fresh, seen["held"], seen["alarms"]) == (True, None, [])
        assert seen["proof"]["holds"]
        assert seen["forgotten"]["readings"]["count"] == LOST

    assert home.read("confirm-removals", "note-files")["documents"] == []
    assert home.run("confirm-removals", "nothing", status=2) == ""
    assert home.errors.startswith("UnknownSourceError: ")
    assert "'nothing'" in home.errors
