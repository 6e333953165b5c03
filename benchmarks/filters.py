"""Measures filters over a vector index: the number of hits, their recall and the latency.

The script writes records of random sentences and indexes them once. Known shares of the records
have a mark. For each share, the script searches with a filter on the mark, in the modes `hybrid`
and `vector`. It compares these searches with an exact scan with the same filter. It prints how
many searches returned fewer hits than the exact scan, the recall of the first ten hits, and the
latency of the whole search.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, quantiles
from tempfile import TemporaryDirectory

from ragline.configuration import load_configuration
from ragline.search.messages import MODES, Mode, SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import open_database

CONFIGURATION = """\
collections:
  - {name: notes, hnsw_from_entries: 20000}
sources:
  - {name: notes, collection: notes, kind: records, uri: ./notes.jsonl}
"""
SHARES = (0.0001, 0.001, 0.01, 0.1, 1.0)
TOP_K = 10
SUBJECTS = (
    "the harbour", "a lighthouse", "the night train", "an old mill", "the city archive",
    "a beekeeper", "the tax office", "a glacier", "the school choir", "a bridge of stone",
    "the vineyard", "a chess club",
)  # fmt: skip
VERBS = ("repairs", "sells", "remembers", "measures", "paints", "closes", "inherits", "describes")
OBJECTS = (
    "the winter timetable", "forty letters", "a broken clock", "the southern wall",
    "its last boat", "a map of the coast", "the grain prices", "two wooden doors",
    "an unpaid bill", "the spring flood",
)  # fmt: skip


def write_records(path: Path, count: int, seed: int) -> None:
    """Write records with random sentences.

    A mark names its share: for example, 1 % of the records have the mark `share-0.01`.
    """
    pick = random.Random(seed)  # noqa: S311  the same each time, not a secret
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            words = f"{pick.choice(SUBJECTS)} {pick.choice(VERBS)} {pick.choice(OBJECTS)}"
            text = f"In the year {1000 + number % 1000}, {words}, says note {number}."
            marks = [f"share-{share}" for share in SHARES if pick.random() < share]
            file.write(json.dumps({"_id": str(number), "text": text, "marks": marks}) + "\n")


def make_queries(count: int, seed: int) -> list[str]:
    """Make questions from the words of the sentences, in other combinations."""
    pick = random.Random(seed)  # noqa: S311  the same each time, not a secret
    return [
        f"{pick.choice(SUBJECTS)} that {pick.choice(VERBS)} {pick.choice(OBJECTS)}"
        for _ in range(count)
    ]


def ask(searcher: Searcher, request: SearchRequest) -> tuple[SearchAnswer, float]:
    """Search, and return the answer and the duration in milliseconds."""
    started = time.perf_counter()
    answer = searcher.search(request)
    return answer, 1e3 * (time.perf_counter() - started)


def measure(searcher: Searcher, queries: Sequence[str], share: float, mode: Mode) -> str:
    """Measure one share in one mode, and return the row of the table."""
    took: list[float] = []
    exact_took: list[float] = []
    recalls: list[float] = []
    short = 0
    plans: set[str] = set()
    for query in queries:
        request = SearchRequest(
            "notes", query, TOP_K, mode, filter={"metadata.marks": f"share-{share}"}, explain=True
        )
        answer, milliseconds = ask(searcher, request)
        exact, exact_ms = ask(searcher, replace(request, exact=True))
        found = {hit.document_id for hit in answer.hits}
        wanted = {hit.document_id for hit in exact.hits}
        took.append(milliseconds)
        exact_took.append(exact_ms)
        recalls.append(len(found & wanted) / max(len(wanted), 1))
        short += len(found) < len(wanted)
        assert answer.plan is not None
        plans.add(f"{answer.plan.filter}, {answer.plan.vector}")
    tenths = quantiles(took, n=20, method="inclusive")
    return (
        f"| {share:.2%} | {mode} | {'; '.join(sorted(plans))} | {short} | {mean(recalls):.3f} "
        f"| {tenths[9]:.1f} ms | {tenths[18]:.1f} ms | {quantiles(exact_took, n=2)[0]:.1f} ms |"
    )


def main() -> None:
    """Index the records once, measure each share in each mode, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="keep the index here, to measure again")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "ragline.yaml").exists():
            write_records(home / "notes.jsonl", options.entries, options.seed)
            (home / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
            subprocess.run([sys.executable, "-m", "ragline", "sync"], cwd=home, check=True)
        configuration = load_configuration(home / "ragline.yaml")
        with open_database(configuration) as database:
            searcher = Searcher(database, configuration, timeout_ms=60_000)
            queries = make_queries(options.queries, options.seed)
            for query in queries[:20]:
                searcher.search(SearchRequest("notes", query))
            print(
                "| share | mode | plan | short of hits | recall@10 | p50 | p95 | exact scan, p50 |"
                "\n|---|---|---|---|---|---|---|---|"
            )
            for share in SHARES:
                for mode in MODES:
                    if mode != "keyword":
                        print(measure(searcher, queries, share, mode), flush=True)


if __name__ == "__main__":
    main()
