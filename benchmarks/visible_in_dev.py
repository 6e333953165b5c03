"""Measures how long a change in a watched folder takes until `ragline dev` shows it.

The script starts `ragline dev` with a folder of Markdown files. It edits, adds and removes files at
random times. After each change, it searches through the API until the hits show the change. It
prints percentiles of the times by kind of change. The times of edits and additions are
time-to-visible, and those of removals are time-to-forget.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

CONFIGURATION = """\
sources:
  - {name: notes, collection: notes, kind: files, uri: ./notes}
"""
MAX_WAIT_S = 120.0
MAX_START_S = 600.0
START_PAUSE_S = 20.0
# Each look is a search. With shorter pauses, the searches would slow the sync down.
LOOK_EVERY_S = 0.05
DOCUMENTS = 200
# The maximum pause before a change. It is longer than the time between two probes of the sensor.
MAX_PAUSE_S = 6.0
# The note that each round adds and removes.
ADDED = "added.md"


def find_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_shown(port: int, marker: str) -> bool:
    """Whether a keyword search through the API returns a hit whose text contains the marker."""
    body = json.dumps({"collection": "notes", "query": marker, "mode": "keyword", "top_k": 50})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/search",
        body.encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own loopback
        return any(marker in hit["text"] for hit in json.load(answer)["hits"])


def is_ready(port: int) -> bool:
    """Whether the API answers searches."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], max_wait_s: float = MAX_WAIT_S) -> float:
    """Wait until a condition holds, and return the seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < max_wait_s, "it never showed"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - started


def write_note(folder: Path, name: str, marker: str) -> None:
    """Write a note with a unique word."""
    (folder / name).write_text(f"# Note\n\nThe keeper wrote {marker} in the book.\n", "utf-8")


def measure(folder: Path, port: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """In each round, edit a note, add a note and remove the added note, each after a random pause.

    Returns the seconds until searches show the change, by kind of change.
    """
    pick = random.Random(seed)  # noqa: S311  the same each time, not a secret
    seconds: dict[str, list[float]] = {"edit": [], "addition": [], "removal": []}
    for number in range(rounds):
        for kind, name in (("edit", f"{pick.randrange(DOCUMENTS):03}.md"), ("addition", ADDED)):
            time.sleep(pick.uniform(0, MAX_PAUSE_S))
            marker = f"{kind}{seed}x{number}x"
            write_note(folder, name, marker)
            seconds[kind].append(wait_until(lambda word=marker: is_shown(port, word)))
        time.sleep(pick.uniform(0, MAX_PAUSE_S))
        (folder / ADDED).unlink()
        seconds["removal"].append(wait_until(lambda word=marker: not is_shown(port, word)))
        shown = ", ".join(f"{kind} {values[-1]:.2f} s" for kind, values in seconds.items())
        print(f"{number + 1}/{rounds}: {shown}", file=sys.stderr)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    """Print a row for each kind of change: the number of times, p50, p95 and the maximum."""
    print("| change | n | p50 | p95 | slowest |\n|---|---|---|---|---|")
    for kind, values in seconds.items():
        cuts = quantiles(values, n=20, method="inclusive")
        print(
            f"| {kind} | {len(values)} | {cuts[9]:.2f} s | {cuts[18]:.2f} s | {max(values):.2f} s |"
        )


def main() -> None:
    """Start `ragline dev`, measure the times, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "notes"
        folder.mkdir()
        (Path(home) / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
        for number in range(DOCUMENTS):
            write_note(folder, f"{number:03}.md", f"start{number}")
        ui, api = find_port(), find_port()
        log = (Path(home) / "log").open("w", encoding="utf-8")
        ragline = [sys.executable, "-m", "ragline"]
        subprocess.run([*ragline, "sync"], cwd=home, check=True, stdout=log, stderr=log)
        dev = subprocess.Popen(
            [*ragline, "dev", "--ui-port", str(ui), "--api-port", str(api)],
            cwd=home,
            stdout=log,
            stderr=log,
            env={**os.environ, "RAGLINE_CONFIG": str(Path(home) / "ragline.yaml")},
        )
        try:
            wait_until(lambda: is_ready(api), MAX_START_S)
            # The sensors and the listener start at the same time as the API.
            time.sleep(START_PAUSE_S)
            report(measure(folder, api, options.rounds, options.seed))
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(60)
            log.close()


if __name__ == "__main__":
    main()
