"""Measures stored token codes: their size, their time, and the quality of searches that use them.

Usage: python benchmarks/token_codes.py [--searches 200] [FOLDER …]

Each FOLDER has the BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv). The default folders
are cranfield and docs_qa in the folder RAGLINE_TEST_DATA. `ragline sync` indexes the corpus with
codes, in a temporary home. The script prints three tables:

- the bytes of the codes for each chunk, and the time to embed texts with codes, divided by the time
  to embed them without codes
- the times of searches with and without late interaction, which alternate
- the measures of searches with each set of stages, with stored codes and with floats
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from retrieval_quality import CONFIGURATION, TEST_DATA, run
from sqlalchemy import text

from ragline.configuration import Configuration, load_configuration
from ragline.configuration.collection_settings import MEASURES
from ragline.embedder.token_codes import TokenRotation
from ragline.evaluation.evaluation import evaluate
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.model_cache import ModelCache
from ragline.rerankers import LATE_INTERACTION
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database, open_database

ROUNDS = 5
EMBEDDED_TEXTS = 256
FEEDBACK = {"feedback_weight": 0.3, "keyword_feedback_weight": 0.3}
STAGES: dict[str, dict[str, object]] = {
    "fused": {},
    "late interaction": {"rerank": True},
    "feedback into both legs": FEEDBACK,
    "feedback, late interaction": FEEDBACK | {"rerank": True},
    "late interaction, feedback, late interaction": FEEDBACK
    | {"rerank": True, "rerank_before_feedback": True},
}
SIZES = """\
select
  (select count(*) from ragline.embeddings) as vectors,
  (select coalesce(sum(length(codes)), 0) from ragline.token_codes) as code_bytes,
  pg_total_relation_size('ragline.token_codes') as table_bytes
"""


@dataclass(frozen=True)
class Index:
    """One indexed data set."""

    name: str
    database: Database
    configuration: Configuration
    golden: GoldenSet
    models: ModelCache

    def make_searcher(self, search: dict[str, object]) -> Searcher:
        """Return a searcher with some search settings. They apply if the generation is named."""
        settings = self.configuration.collection("bench")
        changed = settings.model_copy(update={"search": settings.search.model_copy(update=search)})
        return Searcher(
            self.database,
            self.configuration.replace_collection(changed),
            models=self.models,
            timeout_ms=60_000,
        )


def report_size(index: Index) -> None:
    with index.database.connect() as connection:
        row = connection.execute(text(SIZES)).one()
        stored = connection.execute(
            text("select token_rotation from ragline.embedding_spaces")
        ).scalar_one()
        statement = text("select text from ragline.chunks order by text_hash limit :limit")
        texts = list(connection.execute(statement, {"limit": EMBEDDED_TEXTS}).scalars())
    embedder = index.models.embedder(index.configuration.collection("bench").embedding_model)
    rotation = TokenRotation.read(stored)
    ratios = []
    for _ in range(ROUNDS + 1):
        without = _time(lambda: list(embedder.embed_batches(texts)))
        coded = _time(lambda: list(embedder.embed_coded_batches(texts, rotation)))
        ratios.append(without / coded)
    print(
        f"| {index.name} | {row.code_bytes / row.vectors:.0f} "
        f"| {row.table_bytes / row.vectors:.0f} | {statistics.median(ratios[1:]):.3f} |"
    )


def report_times(index: Index, searches: int) -> None:
    """Print the median times of searches and of the stage `rerank`. The variants alternate."""
    generation = index.make_searcher({}).live_generation("bench").id
    variants = {
        **STAGES,
        "late interaction over 100": {"rerank": True, "rerank_candidates": 100},
    }
    searchers = {name: index.make_searcher(search) for name, search in variants.items()}
    queries = list(index.golden.queries.values())
    times: dict[str, list[float]] = {name: [] for name in variants}
    reranking: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(searches + 20):
        request = SearchRequest("bench", queries[turn % len(queries)], principals=None)
        for name, searcher in searchers.items():
            answer = searcher.search(request, generation_id=generation)
            if turn >= 20:
                times[name].append(answer.took_ms.total)
                reranking[name].append(answer.took_ms.rerank)
    plain = statistics.median(times["fused"])
    for name, found in times.items():
        median, late = np.percentile(found, [50, 95])
        print(
            f"| {index.name} | {name} | {median:.1f} | {late:.1f} | {median / plain:.2f} "
            f"| {statistics.median(reranking[name]):.1f} |"
        )


def report_quality(index: Index, *, has_codes: bool) -> None:
    searcher = index.make_searcher({})
    generation = searcher.live_generation("bench").id
    for name, search in STAGES.items():
        if not has_codes and not search.get("rerank"):
            continue
        found = evaluate(
            index.make_searcher(search), "bench", index.golden,
            rerank=None, generation_id=generation,
        )  # fmt: skip
        figures = " | ".join(f"{found.measures[measure]:.4f}" for measure in MEASURES)
        kind = "codes" if has_codes else "floats"
        print(f"| {index.name} | {name} | {kind} | {figures} |", flush=True)


def forget_codes(database: Database) -> None:
    """Delete the codes and the rotation, so that searches compare floats."""
    with database.begin() as connection:
        connection.execute(text("delete from ragline.token_codes"))
        connection.execute(text("update ragline.embedding_spaces set token_rotation = null"))


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(folder: Path, searches: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        home = Path(name)
        corpus = (folder / "corpus.jsonl").resolve()
        configuration = CONFIGURATION.format(corpus=corpus, reranker=LATE_INTERACTION)
        (home / "ragline.yaml").write_text(configuration, encoding="utf-8")
        run(home, "sync")
        loaded = load_configuration(home / "ragline.yaml")
        with open_database(loaded) as database:
            models = ModelCache(loaded.home / "models")
            index = Index(folder.name, database, loaded, read_golden_set(folder), models)
            print("\n| collection | bytes of codes | bytes in the table | rate with codes |")
            print("|---|---|---|---|")
            report_size(index)
            print("\n| collection | stages | p50 ms | p95 ms | of fused | rerank ms |")
            print("|---|---|---|---|---|---|")
            report_times(index, searches)
            print(f"\n| collection | stages | tokens | {' | '.join(MEASURES)} |")
            print("|---|---|---|---|---|---|---|", flush=True)
            report_quality(index, has_codes=True)
            forget_codes(database)
            report_quality(index, has_codes=False)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--searches", type=int, default=200)
    arguments.add_argument("folders", type=Path, nargs="*")
    stated = arguments.parse_args()
    for folder in stated.folders or [TEST_DATA / "cranfield", TEST_DATA / "docs_qa"]:
        measure(folder, stated.searches)


if __name__ == "__main__":
    main()
