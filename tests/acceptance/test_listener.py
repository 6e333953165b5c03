"""`ragline listen` next to a service: a push is searchable when its answer comes, whatever dies.

RAGLINE_SOAK kills the listener twenty times at random times of a push; the ordinary run, twice.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx2
import psutil
import pytest
from command_process import CommandProcess
from killed_commands import embedded_url, list_servers, query
from ragline_home import Home
from repetition_counts import choose_count

# Each test starts processes, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1_200)
CONFIGURATION = """\
collections:
  - name: notes
    chunking: {max_tokens: 64, overlap_tokens: 8}
sources:
  - {name: inbox, collection: notes, kind: push}
"""
MAX_WAIT_S = 180.0
PARAGRAPH = (
    "The keeper writes about {word} in the book of the harbour, and about nothing else. " * 3
)


class Site:
    """A home with an embedded Postgres, a running service, and a listener that can be killed."""

    def __init__(self, home: Home, client: httpx2.Client) -> None:
        self.home = home
        self.client = client

    @contextmanager
    def listening(self) -> Iterator[CommandProcess]:
        """A listener, from its first line to the end of the block. It is killed at the end."""
        with self.home.start("listen") as listener:
            try:
                assert listener.stderr is not None
                assert "listening" in listener.stderr.readline()
                yield listener
            finally:
                listener.kill()

    def send(self, method: str, name: str, query_string: str, **body: Any) -> httpx2.Response:
        path = f"/v1/collections/notes/documents/{quote(name, safe='')}{query_string}"
        return self.client.request(method, path, **body)

    def put(self, name: str, text: str, query_string: str = "") -> httpx2.Response:
        answer = self.send("PUT", name, query_string, json={"text": text})
        assert answer.status_code in (200, 201, 202), answer.text
        return answer

    def put_and_wait(self, name: str, text: str, wait_s: float = 25) -> dict[str, Any]:
        answer = self.put(name, text, f"?wait=visible&wait_s={wait_s}").json()
        visibility: dict[str, Any] = answer["visibility"]
        return visibility

    def find(self, word: str) -> list[dict[str, Any]]:
        body = {"collection": "notes", "query": word, "mode": "keyword", "top_k": 100}
        answer = self.client.post("/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        hits: list[dict[str, Any]] = answer.json()["hits"]
        return hits

    def find_names(self, word: str) -> set[str]:
        return {hit["document_id"] for hit in self.find(word)}

    def query(self, statement: str) -> list[Any]:
        url = embedded_url(self.home)
        assert url is not None
        return query(url, statement)

    def wait_until(self, is_met: Callable[[], object]) -> None:
        deadline = time.monotonic() + MAX_WAIT_S
        while not is_met():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: object,
) -> Iterator[Site]:
    """A synced push source with one document, and the service. No listener runs."""
    assert embedder, "the model is exported before the listener needs it"
    folder = tmp_path_factory.mktemp("listener")
    copy_prepared_home(folder / ".ragline")
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    home = Home(folder, None)
    with serve(home) as client:
        site = Site(home, client)
        site.put("first", "The first document is about a windmill.")
        home.run("sync")
        assert site.find_names("windmill") == {"first"}
        yield site


@contextmanager
def serve(home: Home) -> Iterator[httpx2.Client]:
    """Run the service, and read its log all the time: it waits if a pipe is full."""
    with home.start("serve", "--port", "0") as process:
        assert process.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert address is not None
        reader = Thread(target=process.stderr.read)
        reader.start()
        try:
            limits = httpx2.Limits(max_connections=None)
            with httpx2.Client(base_url=address[0], timeout=60, limits=limits) as client:
                deadline = time.monotonic() + MAX_WAIT_S
                while client.get("/readyz").status_code != 200:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                yield client
        finally:
            process.terminate()
            reader.join(60)


@pytest.fixture
def listener(site: Site) -> Iterator[CommandProcess]:
    with site.listening() as listener:
        yield listener


@pytest.mark.usefixtures("listener")
def test_answer_comes_when_a_search_finds_the_document(site: Site) -> None:
    shown = site.put_and_wait("heron", "The heron waits in the water.")
    assert shown["state"] == "visible", shown
    hits = site.find("heron")
    assert [hit["receipt"]["id"] for hit in hits] == shown["receipts"]
    assert hits[0]["receipt"]["generation"] == shown["generation"]
    changed = site.put_and_wait("heron", "The osprey waits in the water.")
    assert changed["state"] == "visible"
    assert site.find_names("osprey") == {"heron"}
    assert site.find("heron") == []


@pytest.mark.usefixtures("listener")
def test_answer_comes_when_no_search_finds_the_deleted_document(site: Site) -> None:
    site.put_and_wait("badger", "The badger sleeps.")
    answer = site.send("DELETE", "badger", "?wait=forgotten&wait_s=25")
    assert answer.status_code == 200, answer.text
    assert answer.json()["visibility"]["state"] == "forgotten"
    assert site.find("badger") == []


@pytest.mark.usefixtures("listener")
def test_document_that_cannot_be_read_is_reported_at_once(site: Site) -> None:
    started = time.monotonic()
    path = "/v1/collections/notes/documents/broken.pdf?wait=visible&wait_s=25"
    headers = {"content-type": "application/pdf"}
    answer = site.client.put(path, content=b"%PDF-1.4 broken", headers=headers)
    assert answer.status_code == 202
    shown = answer.json()["visibility"]
    assert shown["state"] in ("failed", "quarantined")
    assert "PDF" in shown["reason"]
    assert shown["receipts"] == []
    assert time.monotonic() - started < 20


@pytest.mark.usefixtures("listener")
def test_bulk_request_waits_for_all_its_operations(site: Site) -> None:
    site.put_and_wait("old", "The curlew calls.")
    operations = [
        {"op": "put", "document_id": f"bulk-{number}", "text": f"The plover number{number} runs."}
        for number in range(30)
    ]
    operations += [
        {"op": "put", "document_id": "twice", "text": "The snipe is first."},
        {"op": "put", "document_id": "twice", "text": "The snipe is second."},
        {"op": "delete", "document_id": "old"},
    ]
    path = "/v1/collections/notes/documents:bulk?wait=visible&wait_s=25"
    answer = site.client.post(path, json={"operations": operations})
    assert answer.status_code == 200, answer.text
    shown = [result["visibility"] for result in answer.json()["results"]]
    assert {one["state"] for one in shown[:30]} == {"visible"}
    assert shown[30] is None
    assert (shown[31]["state"], shown[32]["state"]) == ("visible", "forgotten")
    assert len(site.find_names("plover")) == 30
    assert [hit["text"] for hit in site.find("snipe")] == ["The snipe is second."]
    assert site.find("curlew") == []


@pytest.mark.usefixtures("listener")
def test_hundred_pushes_at_once_are_all_found(site: Site) -> None:
    def push(number: int) -> dict[str, Any]:
        return site.put_and_wait(f"many-{number}", f"The lapwing number{number} flies.")

    with ThreadPoolExecutor(100) as threads:
        shown = list(threads.map(push, range(100)))
        # Other requests are answered while a hundred requests wait.
        assert site.find_names("windmill") == {"first"}
    states = [one["state"] for one in shown]
    assert set(states) <= {"visible", "pending"}
    assert states.count("visible") > 0
    site.wait_until(lambda: len(site.find_names("lapwing")) == 100)


def test_dagster_shows_the_sync_that_follows(site: Site, listener: CommandProcess) -> None:
    site.put_and_wait("gull", "The gull cries.")
    (hit,) = site.find("gull")
    run_id = hit["receipt"]["run_id"]
    find_run = f"select status from dagster.runs where run_id = '{run_id}'"
    site.wait_until(lambda: site.query(find_run) == [("SUCCESS",)])
    tags = dict(site.query(f"select key, value from dagster.run_tags where run_id = '{run_id}'"))
    assert tags["ragline/started_by"] == "signal: push"
    assert tags["ragline/source"] == "inbox"
    (proof,) = site.query(
        f"select difference_count from ragline.sync_proofs where run_id = '{run_id}'"
    )
    assert proof == (0,)
    children = psutil.Process(listener.pid).children(recursive=True)
    assert any("sync_process" in " ".join(child.cmdline()) for child in children)


def test_without_a_listener_the_answer_says_so(site: Site) -> None:
    shown = site.put_and_wait("tern", "The tern dives.", wait_s=1)
    assert shown["state"] == "pending"
    assert "no listener runs" in shown["reason"]
    with site.listening():
        site.wait_until(lambda: site.find_names("tern") == {"tern"})


@pytest.mark.parametrize("seed", range(choose_count(2, 20)))
def test_killed_listener_loses_nothing_and_shows_no_half(site: Site, seed: int) -> None:
    chance = random.Random(f"listener {seed}")  # noqa: S311  nothing is secret here
    name = f"killed-{seed}"
    with site.listening() as listener:
        # The models are loaded, so that the kill happens during the work.
        site.put_and_wait(name, write_paragraphs(f"before{seed}x"))
        with ThreadPoolExecutor(1) as threads:
            push = threads.submit(site.put_and_wait, name, write_paragraphs(f"after{seed}x"), 3)
            time.sleep(chance.uniform(0, 0.6))
            listener.kill()
            listener.wait(60)
            shown = push.result()
        found = {
            read_marker(hit["text"]) for hit in site.find("keeper") if hit["document_id"] == name
        }
        assert len(found) == 1, found
        if shown["state"] == "visible":
            assert found == {f"after{seed}x"}
        else:
            assert "no listener runs" in shown["reason"]
    with site.listening():
        site.wait_until(lambda: site.find_names(f"after{seed}x") == {name})
    assert site.find(f"before{seed}x") == []


def test_pushes_are_found_after_postgres_was_restarted(site: Site) -> None:
    with site.listening() as listener:
        site.put_and_wait("dunlin", "The dunlin runs.")
        (postmaster,) = list_servers(site.home, "postmaster")
        postmaster.kill()
        request = ("PUT", "sandpiper", "?wait=visible")
        text = {"text": "The sandpiper runs."}
        site.wait_until(lambda: site.send(*request, json=text).status_code in (200, 201))
        assert site.find_names("sandpiper") == {"sandpiper"}
        assert listener.poll() is None


def write_paragraphs(marker: str) -> str:
    """A text of several chunks, each with the marker."""
    return "\n\n".join(PARAGRAPH.format(word=marker) for _ in range(6))


def read_marker(text: str) -> str:
    markers = set(re.findall(r"\b(?:before|after)\d+x", text))
    (marker,) = markers
    return marker
