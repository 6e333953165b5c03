"""Measures how long a pushed document takes until a search shows it, with `ragline dev`.

The script starts `ragline dev` with an empty push source and pushes documents of two pages at
random times. Half of the pushes have `wait=visible`: their time ends with the first search after
the answer that shows the document. After the other pushes, the script searches until the document
is shown. Some documents are deleted again in the same two ways. It prints percentiles, and the
memory of all processes before the first push and at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import psutil

CONFIGURATION = """\
sources:
  - {name: pushed, collection: notes, kind: push}
"""
MAX_WAIT_S = 120.0
LOOK_EVERY_S = 0.02
# Two printed pages have about 1,000 words.
PAGES_WORDS = 1_000
# The documents that are in the index before the first measured push.
FIRST_DOCUMENTS = 100
# The maximum pause before a push. It is longer than the time between two probes of the sensor.
MAX_PAUSE_S = 8.0
WORDS = ("harbour", "lantern", "keeper", "ledger", "tide", "mooring", "signal", "crew", "cargo")

Seconds = dict[str, list[float]]


def find_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A client of the API that keeps one connection open."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        """Send a request, and return the status and the body of the answer."""
        content = None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, content, {"content-type": "application/json"})
        with self.connection.getresponse() as answer:
            return answer.status, json.loads(answer.read())

    def finds(self, word: str) -> bool:
        """Return whether a keyword search has a hit."""
        body = {"collection": "notes", "query": word, "mode": "keyword", "top_k": 1}
        status, answer = self.send("POST", "/v1/search", body)
        return status == 200 and bool(answer["hits"])

    def put(self, name: str, text: str, query: str = "") -> None:
        """Put a document. `query` is the query string."""
        path = f"/v1/collections/notes/documents/{name}{query}"
        status, answer = self.send("PUT", path, {"text": text})
        assert status in (200, 201), answer

    def delete(self, name: str, query: str = "") -> None:
        """Delete a document. `query` is the query string."""
        status, answer = self.send("DELETE", f"/v1/collections/notes/documents/{name}{query}")
        assert status == 200, answer


def write_text(pick: random.Random, marker: str) -> str:
    """Return a text of two pages with headings and one unique word."""
    words = [pick.choice(WORDS) for _ in range(PAGES_WORDS)]
    words[PAGES_WORDS // 2] = marker
    paragraphs = [" ".join(words[start : start + 125]) for start in range(0, PAGES_WORDS, 125)]
    return "\n\n".join(f"# Part {number}\n\n{one}." for number, one in enumerate(paragraphs))


def wait_until(service: Service, word: str, *, is_found: bool) -> None:
    """Search until a word is found, or is no longer found."""
    started = time.monotonic()
    while service.finds(word) is not is_found:
        assert time.monotonic() - started < MAX_WAIT_S, "it never showed"
        time.sleep(LOOK_EVERY_S)


def measure(service: Service, changes: int, seed: int, *, has_wait: bool) -> Seconds:
    """Make `changes` pushes at random times, and delete each fourth document again.

    Returns the seconds until each search showed the change, by kind of request.
    """
    pick = random.Random(seed)  # noqa: S311  the same each time, not a secret
    seconds: Seconds = {}
    for number in range(changes):
        marker, name = f"word{seed}x{number}", f"new-{number}"
        is_waiting = has_wait and number % 2 == 0
        time.sleep(pick.uniform(0, MAX_PAUSE_S))
        text = write_text(pick, marker)
        started = time.monotonic()
        service.put(name, text, "?wait=visible&wait_s=25" if is_waiting else "")
        wait_until(service, marker, is_found=True)
        kind = "put, wait=visible" if is_waiting else "put"
        seconds.setdefault(kind, []).append(time.monotonic() - started)
        print(f"{number + 1}/{changes}: {kind} {seconds[kind][-1]:.2f} s", file=sys.stderr)
        if number % 4 < 2:
            time.sleep(pick.uniform(0, MAX_PAUSE_S))
            started = time.monotonic()
            service.delete(name, "?wait=forgotten&wait_s=25" if is_waiting else "")
            wait_until(service, marker, is_found=False)
            kind = "delete, wait=forgotten" if is_waiting else "delete"
            seconds.setdefault(kind, []).append(time.monotonic() - started)
    return seconds


def report(seconds: Seconds) -> None:
    """Print a row for each kind of request: the number of times, p50, p95 and the maximum."""
    print("| request | n | p50 | p95 | slowest |\n|---|---|---|---|---|")
    for kind, values in sorted(seconds.items()):
        cuts = quantiles(values, n=20, method="inclusive")
        print(
            f"| {kind} | {len(values)} | {cuts[9]:.2f} s | {cuts[18]:.2f} s | {max(values):.2f} s |"
        )


def read_memory(process: psutil.Process) -> tuple[float, float]:
    """Return the resident and the proportional memory of a process and its children, in MB.

    The proportional memory counts a page that several processes share once. Postgres is left out.
    """
    resident = proportional = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            memory = one.memory_full_info()
            if "postgres" not in one.name():
                resident += memory.rss / 1e6
                proportional += memory.pss / 1e6
        except psutil.NoSuchProcess:
            continue
    return resident, proportional


@contextmanager
def run_dev(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `ragline dev` in a folder with an index of FIRST_DOCUMENTS; give its process and port."""
    ui, api = find_port(), find_port()
    ragline = [sys.executable, "-m", "ragline"]
    environment = {**os.environ, "RAGLINE_CONFIG": str(home / "ragline.yaml")}
    with (home / "log").open("w", encoding="utf-8") as log:
        dev = subprocess.Popen(
            [*ragline, "dev", "--ui-port", str(ui), "--api-port", str(api)],
            cwd=home, stdout=subprocess.PIPE, stderr=log, env=environment,
        )  # fmt: skip
        try:
            assert dev.stdout is not None
            dev.stdout.readline()
            fill(Service(api))
            yield dev, api
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(60)


def fill(service: Service) -> None:
    """Push the first documents, and wait until searches find the last of them."""
    pick = random.Random(0)  # noqa: S311  the same each time, not a secret
    for number in range(FIRST_DOCUMENTS):
        service.put(f"first-{number}", write_text(pick, f"first{number}"))
    started = time.monotonic()
    while not service.finds(f"first{FIRST_DOCUMENTS - 1}"):
        assert time.monotonic() - started < 5 * MAX_WAIT_S, "the first sync never ended"
        time.sleep(1)


def main() -> None:
    """Start `ragline dev`, measure the times and the memory, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-wait", action="store_true", help="send no request with `wait`")
    parser.add_argument("--pause", type=float, default=30.0, help="seconds before the first push")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
        with run_dev(home) as (dev, port):
            time.sleep(options.pause)
            before = read_memory(psutil.Process(dev.pid))
            report(
                measure(Service(port), options.changes, options.seed, has_wait=not options.no_wait)
            )
            after = read_memory(psutil.Process(dev.pid))
    for when, (resident, proportional) in (("before", before), ("after", after)):
        print(f"memory {when}: {resident:,.0f} MB resident, {proportional:,.0f} MB proportional")


if __name__ == "__main__":
    main()
