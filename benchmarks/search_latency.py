"""Measures where the time of a search goes: embedding, each wait for Postgres, and Python.

The script indexes the records of `benchmarks/filters.py` for several numbers of entries, with the
real model. For each number, it prints the latency of the modes and their recall compared with an
exact scan. Then it prints the waits for Postgres in one search with their times, and the functions
with the most time of their own. A wait is a round trip to the server, except that a large answer
can need several waits.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.waiting import Wait

from benchmarks.filters import CONFIGURATION, make_queries, write_records
from ragline.configuration import load_configuration
from ragline.search.messages import MODES, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database

TOP_K = 10
WARM_QUERIES = 20
SHOWN_FUNCTIONS = 15
LABEL_CHARS = 60
COMMENT = re.compile(r"^--\s*")


@dataclass
class Waits:
    """The waits for answers of Postgres: how many, and the seconds, by statement."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def watch(self, label: str, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Pass the steps of one exchange with the server through, and note its waits."""
        started = time.perf_counter()
        sent: Any = None
        try:
            while True:
                wanted = steps.send(sent)
                self.counts[label] += wanted == Wait.R
                sent = yield wanted
        except StopIteration as ended:
            return ended.value
        finally:
            self.seconds[label] += time.perf_counter() - started


def name_exchange(steps: Any) -> str:
    """Name an exchange with the server by its statement, or by the method of the driver."""
    local = steps.gi_frame.f_locals if steps.gi_frame else {}
    query = local.get("query")
    if query is None:
        return str(steps.__name__).strip("_").removesuffix("_gen")
    text = query.decode() if isinstance(query, bytes) else str(query)
    return COMMENT.sub("", text.strip().splitlines()[0])[:LABEL_CHARS].replace("|", "/")


@contextmanager
def watching() -> Iterator[Waits]:
    """Note all waits of psycopg in the block."""
    waits = Waits()
    plain = psycopg.Connection.wait

    def wait(connection: Any, steps: Any, *more: Any, **named: Any) -> Any:
        return plain(connection, waits.watch(name_exchange(steps), steps), *more, **named)

    psycopg.Connection.wait = wait  # type: ignore[method-assign,assignment]
    try:
        yield waits
    finally:
        psycopg.Connection.wait = plain  # type: ignore[method-assign]


def ask_all(searcher: Searcher, requests: Sequence[SearchRequest]) -> list[float]:
    """Answer the requests, and return the milliseconds of each."""
    took = []
    for request in requests:
        started = time.perf_counter()
        searcher.search(request)
        took.append(1e3 * (time.perf_counter() - started))
    return took


def measure_recall(searcher: Searcher, requests: Sequence[SearchRequest]) -> float:
    """Return the mean share of the hits of an exact scan that a search also finds."""
    shares = []
    for request in requests:
        found, exact = (
            {hit.document_id for hit in searcher.search(one).hits}
            for one in (request, replace(request, exact=True))
        )
        shares.append(len(found & exact) / max(len(exact), 1))
    return mean(shares)


def print_latency(searcher: Searcher, entries: int, queries: Sequence[str]) -> None:
    """Print one row for the embedding and one row for each mode."""
    embedder = searcher.embedder(searcher.live_generation("notes").model)
    took = []
    for query in queries:
        started = time.perf_counter()
        embedder.embed_query(query)
        took.append(1e3 * (time.perf_counter() - started))
    rows = [("embedding alone", took, "–")]
    for mode in MODES:
        requests = [SearchRequest("notes", query, TOP_K, mode) for query in queries]
        took = ask_all(searcher, requests)
        rows.append((mode, took, f"{measure_recall(searcher, requests[::4]):.3f}"))
    for name, times, recall in rows:
        cuts = quantiles(times, n=20, method="inclusive")
        print(f"| {entries:,} | {name} | {cuts[9]:.1f} ms | {cuts[18]:.1f} ms | {recall} |")


def print_waits(searcher: Searcher, requests: Sequence[SearchRequest]) -> None:
    """Print the waits of a search, by statement, and the rest of its time."""
    with watching() as waits:
        took = ask_all(searcher, requests)
    count = len(requests)
    print("\n| wait | in one search | ms in one search |\n|---|---|---|")
    for label in sorted(waits.seconds, key=waits.seconds.__getitem__, reverse=True):
        each_ms = 1e3 * waits.seconds[label] / count
        print(f"| {label} | {waits.counts[label] / count:.1f} | {each_ms:.2f} |")
    waited_ms = 1e3 * sum(waits.seconds.values()) / count
    print(f"| all waits | {sum(waits.counts.values()) / count:.1f} | {waited_ms:.2f} |")
    print(f"| the whole search, mean (median {median(took):.1f} ms) | | {mean(took):.2f} |")


def print_functions(searcher: Searcher, requests: Sequence[SearchRequest]) -> None:
    """Print the functions with the most time of their own. The profiler slows them down."""
    profile = cProfile.Profile()
    profile.runcall(ask_all, searcher, requests)
    rows = [
        (own, calls, f"{Path(file).name}:{name}" if file != "~" else name)
        for (file, _, name), (_, calls, own, *_) in pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    ]
    print("\n| function | calls in one search | own ms in one search |\n|---|---|---|")
    for own, calls, name in sorted(rows, reverse=True)[:SHOWN_FUNCTIONS]:
        print(f"| {name} | {calls / len(requests):.1f} | {1e3 * own / len(requests):.2f} |")


def measure(home: Path, entries: int, count: int, seed: int) -> None:
    """Index a number of records, unless the folder has them, and print the tables."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "ragline.yaml").exists():
        write_records(home / "notes.jsonl", entries, seed)
        (home / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
        subprocess.run([sys.executable, "-m", "ragline", "sync"], cwd=home, check=True)
    configuration = load_configuration(home / "ragline.yaml")
    with open_database(configuration) as database:
        searcher = Searcher(database, configuration, timeout_ms=60_000)
        queries = make_queries(count, seed)
        requests = [SearchRequest("notes", query, TOP_K) for query in queries]
        ask_all(searcher, requests[:WARM_QUERIES])
        print(f"\n## {entries:,} entries\n")
        print("| entries | search | p50 | p95 | recall@10 |\n|---|---|---|---|---|")
        print_latency(searcher, entries, queries)
        print_waits(searcher, requests)
        print_functions(searcher, requests)
        sys.stdout.flush()


def main() -> None:
    """Measure each number of entries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="keep the indexes here, to measure again")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        for entries in options.entries:
            home = (options.home or Path(temporary)) / str(entries)
            measure(home, entries, options.queries, options.seed)


if __name__ == "__main__":
    main()
