"""Measures what shadow reads and the canary cost a search.

Usage: python benchmarks/rollout_cost.py [FOLDER] [--seconds 20] [--documents 200]

The first part times the functions that each search calls, in this process and without a database:
with the default settings, and with a share of 1 and a candidate. The queue of shadow reads is then
full, which is the longest path.

The second part indexes the first documents of FOLDER/corpus.jsonl, builds a candidate, and starts
`ragline serve` three times: with the default settings, with `shadow_share: 1`, and with
`canary_share: 1`. One client searches them alternately, so that other load affects all three. The
default folder is cranfield in the folder RAGLINE_TEST_DATA. The script prints Markdown tables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from timeit import repeat
from uuid import uuid4

from service_load import (
    STRIDE,
    TEST_DATA,
    TURN_S,
    Asked,
    ask_until,
    asking,
    read_lines,
    report,
    rotate,
    served,
)

from ragline.configuration import CollectionSettings, Configuration
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.search.messages import SearchAnswer, SearchRequest, StageTimes
from retrieval_api.rollout.canary import Canary
from retrieval_api.rollout.candidates import Candidates
from retrieval_api.rollout.shadow_reader import CAPACITY, ShadowReader

CONFIGURATION = """\
collections:
  - name: bench
    build: manual
    language: {language}
    rollout: {rollout}
sources:
  - name: corpus
    collection: bench
    kind: records
    uri: ./corpus.jsonl
    fields: {{id: _id, title: title, text: text}}
"""
CALLS = 20_000
WAYS = {"off": "{}", "shadow reads": "{shadow_share: 1}", "canary": "{canary_share: 1}"}


class OneCandidate(Candidates):
    """A candidate that is already read."""

    def find(self, collection: str) -> int | None:
        return 7 if collection in self._collections else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=TEST_DATA / "cranfield")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each way")
    parser.add_argument("--documents", type=int, default=200)
    options = parser.parse_args()
    print("| settings | shadow reads, µs per search | canary, µs per search |\n|---|---|---|")
    for name, share in (("off", 0.0), ("share 1", 1.0)):
        print(f"| {name} | {time_sample(share):.2f} | {time_choice(share):.2f} |")
    queries = [row["text"] for row in read_lines(options.folder / "queries.jsonl")]
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as folder:
        index(Path(folder), options.folder / "corpus.jsonl", options.documents)
        measure_services(Path(folder), queries, options.seconds)


def configure(share: float) -> Configuration:
    rollout = RolloutSettings(shadow_share=share, canary_share=share)
    return Configuration(collections=(CollectionSettings(name="bench", rollout=rollout),))


def time_sample(share: float) -> float:
    """Return the microseconds of the call that samples an answered search."""
    configuration = configure(share)
    reader = ShadowReader(configuration, OneCandidate(configuration), lambda *_: None)
    request = SearchRequest("bench", "tea")
    times = StageTimes(1.0, 1.0, 0.0, 2.0)
    answer = SearchAnswer(uuid4(), "bench", 1, (), times, "settings", "version")
    for _ in range(CAPACITY):
        reader.sample(request, answer)
    return 1e6 * min(repeat(lambda: reader.sample(request, answer), number=CALLS)) / CALLS


def time_choice(share: float) -> float:
    """Return the microseconds of the call that chooses the generation of a caller."""
    configuration = configure(share)
    canary = Canary(configuration, OneCandidate(configuration), lambda *_: None)
    request = SearchRequest("bench", "tea")
    return 1e6 * min(repeat(lambda: canary.choose_candidate(request, "key"), number=CALLS)) / CALLS


def index(folder: Path, corpus: Path, documents: int) -> None:
    """Index documents, and build a candidate with another language."""
    lines = corpus.read_text("utf-8").splitlines()[:documents]
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for language, command in (("english", ["sync"]), ("simple", ["generation", "build", "bench"])):
        text = CONFIGURATION.format(language=language, rollout="{}")
        (folder / "ragline.yaml").write_text(text, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ragline", *command], cwd=folder, check=True)


def measure_services(folder: Path, queries: list[str], seconds: float) -> None:
    """Print a row for one client of each service."""
    asked: dict[str, list[Asked]] = {name: [] for name in WAYS}
    with ExitStack() as stack:
        clients = {}
        for number, (name, rollout) in enumerate(WAYS.items()):
            # Each service has its own log. All use the home of the first folder.
            own = folder / f"service-{number}"
            own.mkdir()
            (own / ".ragline").symlink_to(folder / ".ragline")
            (own / "corpus.jsonl").symlink_to(folder / "corpus.jsonl")
            text = CONFIGURATION.format(language="simple", rollout=rollout)
            (own / "ragline.yaml").write_text(text, encoding="utf-8")
            address = stack.enter_context(served(own / "ragline.yaml"))
            clients[name] = stack.enter_context(asking(address, rerank=False))
        time.sleep(2 * TURN_S)  # until each service has found the candidate
        for turn in range(max(1, round(seconds / TURN_S))):
            for name, ask in clients.items():
                ordered = rotate(queries, turn * STRIDE)
                asked[name] += ask_until(ask, ordered, time.monotonic() + TURN_S)
    print("\n| | clients | answers | refused | refused after, p99 | per second | p50 | p95 | p99 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, answers in asked.items():
        report(name, [answers], sum(took for _, took in answers))


if __name__ == "__main__":
    main()
