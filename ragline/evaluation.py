"""Retrieval quality against a golden set: queries with judgements, scored by known measures.

The golden set is in the BEIR layout (`queries.jsonl`, `qrels/<split>.tsv`); the measures are
computed by `ir_measures`. Every query goes through `ragline.search`, as a user's would.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import ir_measures
from ir_measures import RR, R, nDCG
from sqlalchemy import Connection

from ragline.errors import GoldenSetError, SearchTimeoutError
from ragline.progress import Progress, SilentProgress
from ragline.search.messages import Mode, SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.statements import load_statement

MEASURES = {"ndcg@10": nDCG @ 10, "recall@10": R @ 10, "recall@100": R @ 100, "mrr@10": RR @ 10}
# Chunks asked for, so that a hundred documents remain once each counts by its best chunk.
EVALUATED_HITS = 200

Judgements = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Queries by id, and for each the judged documents with their grades (0: not relevant)."""

    queries: dict[str, str]
    judgements: Judgements
    content_hash: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The mean of each measure over all judged queries, and how it was come by.

    `failed` queries count as zero in every mean.
    """

    collection: str
    generation: int
    mode: Mode
    rerank: bool
    measures: dict[str, float]
    queries: int
    failed: int
    seconds: float
    golden_hash: str


def read_golden_set(folder: Path, split: str = "test") -> GoldenSet:
    """Read a golden set in the BEIR layout; only judged queries are kept.

    Raises:
        GoldenSetError: a file is missing or a line is not as the layout says; names both.
    """
    queries_path, judgements_path = folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"
    for path in (queries_path, judgements_path):
        if not path.is_file():
            raise GoldenSetError(f"{path}: there is no such file; a golden set needs it")
    judgements = _read_judgements(judgements_path)
    texts = dict(_read_queries(queries_path))
    missing = sorted(judgements.keys() - texts.keys())
    if missing:
        raise GoldenSetError(f"{queries_path}: has no query {missing[0]!r}, which is judged")
    digest = hashlib.sha256(queries_path.read_bytes() + judgements_path.read_bytes())
    return GoldenSet({key: texts[key] for key in judgements}, judgements, digest.hexdigest())


def evaluate(
    searcher: Searcher,
    collection: str,
    golden: GoldenSet,
    *,
    mode: Mode = "hybrid",
    rerank: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Run every query of a golden set through the search and score the documents found.

    A document's score is that of its best chunk. A query that times out counts as zero; an
    error that would meet every query alike (no index, no database) is raised.
    """
    started = perf_counter()
    run: Run = {}
    failed = 0
    generation = 0
    progress = progress or SilentProgress()
    name = f"{collection}: evaluate ({mode}{', reranked' if rerank else ''})"
    with progress.stage(name, total=len(golden.queries), unit="queries") as advance:
        for key, query in golden.queries.items():
            request = SearchRequest(
                collection, query, EVALUATED_HITS, mode, rerank, principals=None
            )
            try:
                answer = searcher.search(request)
            except SearchTimeoutError:
                failed += 1
            else:
                generation = answer.generation
                run[key] = score_documents(answer)
            advance(1)
    measures = measure_run(golden.judgements, run)
    seconds = perf_counter() - started
    return Evaluation(
        collection, generation, mode, rerank, measures, len(golden.queries), failed, seconds,
        golden.content_hash,
    )  # fmt: skip


def score_documents(answer: SearchAnswer) -> dict[str, float]:
    """The score of each document in an answer: that of its best chunk."""
    scores: dict[str, float] = {}
    for hit in answer.hits:
        scores[hit.document_id] = max(scores.get(hit.document_id, hit.score), hit.score)
    return scores


def measure_run(judgements: Judgements, run: Run) -> dict[str, float]:
    """The mean of each of MEASURES over the judged queries; one that is not in `run` is zero."""
    counted: Run = {key: run.get(key, {}) for key in judgements}
    values = ir_measures.calc_aggregate(MEASURES.values(), judgements, counted)
    return {name: float(values[measure]) for name, measure in MEASURES.items()}


def record_evaluation(connection: Connection, evaluation: Evaluation, run_id: str | None) -> None:
    """Keep an evaluation, so that scores can be followed over time."""
    values = asdict(evaluation) | {
        "run_id": run_id,
        "measures": json.dumps(evaluation.measures),
    }
    connection.execute(load_statement("quality/insert_evaluation"), values)


def _read_judgements(path: Path) -> Judgements:
    judgements: Judgements = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t"), start=1):
            if number == 1 and row[:1] == ["query-id"]:
                continue
            try:
                query, document, grade = row
                judgements.setdefault(query, {})[document] = int(grade)
            except ValueError as error:
                raise GoldenSetError(
                    f"{path}:{number}: is not `query-id TAB corpus-id TAB score`"
                ) from error
    if not judgements:
        raise GoldenSetError(f"{path}: holds no judgement")
    return judgements


def _read_queries(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield str(row["_id"]), str(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise GoldenSetError(
                    f"{path}:{number}: is not a JSON object with `_id` and `text`"
                ) from error
