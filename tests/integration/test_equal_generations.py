"""Of a hundred gates of two equal generations, at most five are refused.

Both generations have the same chunks and the same model, and another backend computed the vectors
of the candidate. In each gate, the queries are others, and the vectors of both generations get new
random errors of the same size. So the hits of many queries differ, and no generation is better.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from database_copies import DatabaseServer
from handbook_candidates import HANDBOOK, Handbook, copy_model
from planted_candidates import share_collection
from repetition_counts import choose_count
from sqlalchemy import Row, text

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.gate.report import GateReport
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import connect_database

pytestmark = pytest.mark.timeout(3_600)
GATES = choose_count(ordinary=2, soak=100)
MAX_REFUSED = 5
# The queries of each gate, of 64 queries.
QUERIES = 40
# The standard deviation of the errors, in each of 384 dimensions of a vector of length 1.
ERROR = 0.02
WRITE_EMBEDDING = """
update ragline.embeddings set embedding = cast(:embedding as halfvec)
where embedding_space_id = :space and text_hash = :text_hash
"""
WRITE_ENTRIES = """
update ragline.entries_{generation} as e set embedding = v.embedding
from ragline.embeddings as v, ragline.generations as g
where g.id = {generation} and v.embedding_space_id = g.embedding_space_id
  and v.text_hash = e.text_hash
"""


def test_few_gates_of_equal_generations_are_refused(
    tmp_path: Path,
    database_server: DatabaseServer,
    template: str,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
) -> None:
    shared = share_collection(database_server, "handbook", template, HANDBOOK, embedder, run_stages)
    shutil.copytree(shared.folder, tmp_path, dirs_exist_ok=True)
    with database_server.copy(shared.name) as url:
        database = connect_database(url)
        configuration = configure(HANDBOOK)
        handbook = Handbook(tmp_path, database, configuration, configure, {DEFAULT_MODEL: embedder})
        reports = judge_equal_generations(handbook)
        database.engine.dispose()
    verdicts = Counter(report.verdict for report in reports)
    changed = [sum(one.fell + one.rose for one in report.measures[:1]) for report in reports]
    assert verdicts["passed"] + verdicts["refused"] == GATES, verdicts
    assert verdicts["refused"] <= MAX_REFUSED, [r.reasons for r in reports if r.reasons]
    # The generations differ, although no one is better.
    assert sum(changed) > GATES


def judge_equal_generations(handbook: Handbook) -> list[GateReport]:
    """Build an equal generation, and judge it as often as GATES says."""
    handbook.use("build: manual\n", "build: manual\n    gate: {detectable_fall: 1}\n")
    model = copy_model(handbook.folder / "same", is_shuffled=False)
    handbook.use_model(model)
    candidate = handbook.build().generation
    # Both generations are searched with the same backend, so their latencies are comparable.
    handbook.embedders[str(model)] = handbook.embedders[DEFAULT_MODEL]
    with handbook.database.connect() as connection:
        statement = "select embedding_space_id, text_hash, embedding::text from ragline.embeddings"
        rows = connection.exec_driver_sql(statement).all()
    path = handbook.folder / "golden" / "qrels" / "test.tsv"
    header, *judgements = path.read_text("utf-8").splitlines()
    reports = []
    for seed in range(GATES):
        random = np.random.default_rng(seed)
        chosen = random.choice(judgements, QUERIES, replace=False)
        path.write_text("\n".join([header, *chosen]), "utf-8")
        add_errors(handbook, rows, random, (1, candidate))
        reports.append(handbook.judge(candidate))
    return reports


def add_errors(
    handbook: Handbook,
    rows: Sequence[Row[tuple[int, bytes, str]]],
    random: np.random.Generator,
    generations: tuple[int, ...],
) -> None:
    """Write the embeddings with random errors, and copy them to the entries of generations."""
    changed = []
    for space, text_hash, embedding in rows:
        vector = np.array(json.loads(embedding))
        vector += random.normal(0, ERROR, len(vector))
        noisy = json.dumps((vector / np.linalg.norm(vector)).round(4).tolist())
        changed.append({"space": space, "text_hash": text_hash, "embedding": noisy})
    with handbook.database.begin() as connection:
        connection.execute(text(WRITE_EMBEDDING), changed)
        for generation in generations:
            connection.exec_driver_sql(WRITE_ENTRIES.format(generation=generation))
