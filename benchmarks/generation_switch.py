"""Measures how long a promotion and a rollback take to reach searches, under constant traffic.

The script starts `ragline dev` with records and a source of pushed documents, and builds a second
generation whose vectors have fewer dimensions. While several clients search and one pushes and
deletes documents, it promotes and rolls back. It prints the time of each call, the time from the
commit to the first answer of the other generation, and how late the last old answer arrives. After
a rollback, it also measures how long documents need that changed while the generation was retired.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.switch_traffic import Reply, Switch, Traffic, search, send, wait_for_hit
from benchmarks.truncated_model import write_truncated_model
from ragline.configuration import Configuration, load_configuration
from ragline.lifecycle.generation_decisions import Decision, promote_by_id, roll_back
from ragline.storage.database import Database, open_database

CONFIGURATION = """\
collections:
  - {{name: notes, build: manual, embedding_model: {model}}}
sources:
  - {{name: records, collection: notes, kind: records, uri: ./records.jsonl,
     fields: {{id: _id, text: text}}}}
  - {{name: inbox, collection: notes, kind: push}}
"""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SEARCHES = (
    {"query": "the harbour"},
    {"query": "the harbour", "mode": "vector"},
    {"query": "the harbour", "mode": "keyword"},
    {"query": "the harbour", "min_generation": 2},
)
DECISION = Decision("benchmark", "generation_switch.py")
MAX_WAIT_S = 180.0
PAUSE_S = 3.0


def find_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_dev(home: Path) -> Iterator[str]:
    """`ragline dev` in a folder; the address of its API."""
    ui, api = find_port(), find_port()
    command = ["dev", "--ui-port", str(ui), "--api-port", str(api)]
    with (home / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ragline", *command],
            cwd=home,
            stdout=log,
            stderr=log,
            env={**os.environ, "RAGLINE_CONFIG": str(home / "ragline.yaml")},
        )
        try:
            yield f"http://127.0.0.1:{api}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the service may not answer yet."""
    deadline = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"not so after {MAX_WAIT_S} s")


def switch(decide: Callable[[], int]) -> Switch:
    """Promote or roll back, and keep the times."""
    called_at = time.monotonic()
    generation = decide()
    return Switch(called_at, time.monotonic(), generation)


def print_effects(switches: Sequence[Switch], replies: Sequence[Reply]) -> None:
    """Print a row for each switch."""
    print("| live | call | first answer after the commit | last old answer after the commit |")
    print("|---|---|---|---|")
    for before, one, after in zip(switches[:-1], switches[1:], [*switches[2:], None], strict=True):
        end = float("inf") if after is None else after.called_at
        during = [each for each in replies if one.called_at <= each.ended < end]
        new = [each.ended for each in during if each.generation == one.generation]
        old = [each.ended for each in during if each.generation == before.generation]
        late = max(0.0, *(each - one.done_at for each in old), 0.0)
        print(
            f"| {one.generation} | {1e3 * (one.done_at - one.called_at):.0f} ms "
            f"| {1e3 * (min(new) - one.done_at):.0f} ms | {1e3 * late:.0f} ms |"
        )


def measure(url: str, database: Database, configuration: Configuration, rounds: int) -> None:
    """Promote and roll back under traffic, and print the figures."""
    path = f"{url}/v1/collections/notes/documents"
    switches = [Switch(0.0, 0.0, 1)]
    clocks: dict[str, list[float]] = {"visible": [], "forgotten": []}

    def wait(document: str, *, is_hit: bool) -> float:
        query = {"collection": "notes", "query": document, "mode": "keyword"}
        return wait_for_hit(url, document, is_hit=is_hit, limit_s=MAX_WAIT_S, **query)

    with Traffic(url, "notes", SEARCHES) as traffic:
        for number in range(rounds):
            time.sleep(PAUSE_S)
            switches.append(
                switch(lambda: promote_by_id(database, configuration, 2, DECISION).generation)
            )
            time.sleep(PAUSE_S)
            old, new = f"zebra{number - 1}", f"zebra{number}"
            send(f"{path}/{new}", "PUT", {"text": f"A note about {new}."})
            if number:
                send(f"{path}/{old}", "DELETE")
            switches.append(switch(lambda: roll_back(database, "notes", DECISION).generation))
            clocks["visible"].append(wait(new, is_hit=True))
            if number:
                clocks["forgotten"].append(wait(old, is_hit=False))
    faults = list(traffic.list_faults(switches))
    replies = list(chain.from_iterable(traffic.replies))
    print(f"{len(replies):,} searches, {len(traffic.writes):,} writes, {len(faults)} faults")
    print("\n".join(faults[:10]))
    print_effects(switches, replies)
    for clock, seconds in clocks.items():
        print(f"{clock} after a rollback: {', '.join(f'{one:.1f} s' for one in seconds)}")


def main() -> None:
    """Index the records, build the second generation, and measure the switches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dimension", type=int, default=128)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        (home / "truncated").mkdir()
        write_truncated_model(home / "truncated", options.dimension)
        texts = (f"Record {number} is about the harbour." for number in range(options.records))
        lines = (json.dumps({"_id": f"r{n}", "text": text}) for n, text in enumerate(texts))
        (home / "records.jsonl").write_text("\n".join(lines), "utf-8")
        path = home / "ragline.yaml"
        ragline = [sys.executable, "-m", "ragline"]
        path.write_text(CONFIGURATION.format(model=MODEL), "utf-8")
        subprocess.run([*ragline, "sync"], cwd=home, check=True, capture_output=True)
        path.write_text(CONFIGURATION.format(model="./truncated"), "utf-8")
        build = [*ragline, "generation", "build", "notes"]
        subprocess.run(build, cwd=home, check=True, capture_output=True)
        configuration = load_configuration(path)
        with running_dev(home) as url, open_database(configuration) as database:
            wait_until(lambda: send(f"{url}/readyz", "GET").status == 200)
            wait_until(lambda: search(url, collection="notes", query="x").status == 200)
            measure(url, database, configuration, options.rounds)


if __name__ == "__main__":
    main()
