"""Measures how long a change in a watched folder takes until `ragline dev` shows it.

The script starts `ragline dev` with a folder of Markdown files. It edits, adds and removes files at
random times. After each change, it searches through the API until the hits show the change. It
prints percentiles of the time-to-visible and of the time-to-forget.
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
LOOK_EVERY_S = 0.1
DOCUMENTS = 200
# The maximum pause before a change. It is longer than the time between two probes of the sensor.
MAX_PAUSE_S = 6.0


def find_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, query: str) -> list[dict[str, object]]:
    """Return the hits of a keyword search through the API."""
    body = json.dumps({"collection": "notes", "query": query, "mode": "keyword", "top_k": 50})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/search",
        body.encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own loopback
        return list(json.load(answer)["hits"])


def wait_until(condition: Callable[[], bool]) -> float:
    """Wait until a condition holds, and return the seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < MAX_WAIT_S, "it never showed"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - started


def write_note(folder: Path, name: str, marker: str) -> None:
    """Write a note with a unique word."""
    (folder / name).write_text(f"# Note\n\nThe keeper wrote {marker} in the book.\n", "utf-8")


def measure(folder: Path, port: int, changes: int, seed: int) -> dict[str, list[float]]:
    """Make `changes` edits and additions, and remove each added note again.

    Returns the seconds until each text was visible, and until each removed text was forgotten.
    """
    pick = random.Random(seed)  # noqa: S311  the same each time, not a secret
    seconds: dict[str, list[float]] = {"visible": [], "forgotten": []}
    for number in range(changes):
        time.sleep(pick.uniform(0, MAX_PAUSE_S))
        marker = f"word{seed}x{number}"
        name = f"{pick.randrange(DOCUMENTS):03}.md" if number % 2 else f"new-{number}.md"
        write_note(folder, name, marker)
        seconds["visible"].append(wait_until(lambda word=marker: bool(ask(port, word))))
        if number % 2 == 0:
            time.sleep(pick.uniform(0, MAX_PAUSE_S))
            (folder / name).unlink()
            seconds["forgotten"].append(wait_until(lambda word=marker: not ask(port, word)))
        print(f"{number + 1}/{changes}: visible {seconds['visible'][-1]:.1f} s", file=sys.stderr)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    """Print a row for each clock: the number of times, p50, p90 and the maximum."""
    print("| clock | n | p50 | p90 | slowest |\n|---|---|---|---|---|")
    for clock, values in seconds.items():
        tenths = quantiles(values, n=10, method="inclusive")
        print(
            f"| {clock} | {len(values)} | {tenths[4]:.1f} s | {tenths[8]:.1f} s "
            f"| {max(values):.1f} s |"
        )


def main() -> None:
    """Start `ragline dev`, measure the times, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=20)
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
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "RAGLINE_CONFIG": str(Path(home) / "ragline.yaml")},
        )
        try:
            assert dev.stdout is not None
            dev.stdout.readline()
            report(measure(folder, api, options.changes, options.seed))
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(60)
            log.close()


if __name__ == "__main__":
    main()
