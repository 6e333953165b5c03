"""`ragline tune`: it computes the scores of real searches, and it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from database_copies import DatabaseServer
from killed_commands import wait_until
from planted_candidates import CONFIGURATION, write_collection
from ragline_home import Home
from sqlalchemy import text

from ragline.commands.tune import tune
from ragline.configuration import (
    ChunkingSettings,
    Configuration,
    SearchSettings,
)
from ragline.embedder.embedder import Embedder
from ragline.errors import DatabaseUnavailableError, GoldenSetError
from ragline.evaluation.evaluation import (
    ALL_PRINCIPALS,
    EVALUATED_HITS,
    SERVED_TOP_K,
    evaluate,
)
from ragline.golden_set import GoldenSet, read_golden_set
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache
from ragline.progress import SilentProgress
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.storage.scratch_database import open_scratch_database
from ragline.tuning.choice import Budget
from ragline.tuning.measurement import MeasuredIndex
from ragline.tuning.recombination import RerankedQueries, SearchedQueries
from ragline.tuning.trial_index import build_trial, open_trial_index
from ragline.tuning.tuning import tune_collection

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
SAMPLES = [
    {},
    {"vector_weight": 0.0, "feedback_weight": 0.3},
    {"vector_weight": 1.0},
    {"vector_weight": 0.8, "candidates": 5},
    {"feedback_weight": 0.2},
    {"vector_weight": 0.7, "feedback_weight": 0.5, "candidates": 3},
]
# Rerank scores of one text differ slightly between batches of other texts.
RERANK_TOLERANCE = 1e-3


@dataclass
class Notes:
    """A synced collection with a golden set."""

    folder: Path
    database: Database
    configuration: Configuration
    models: ModelCache

    def make_searcher(self, **search: float) -> Searcher:
        """A searcher for changed search settings."""
        settings = self.configuration.collection("notes")
        changed = settings.model_copy(update={"search": SearchSettings(**search)})
        configuration = self.configuration.replace_collection(changed)
        return Searcher(self.database, configuration, models=self.models)

    def search_once(self, golden: GoldenSet, **search: float) -> SearchedQueries:
        searcher = self.make_searcher(**search)
        return SearchedQueries(searcher, "notes", 1, golden, 200, SilentProgress())

    def run(self, *arguments: str) -> Result:
        options = ["notes", "--config", str(self.folder / "ragline.yaml"), *arguments]
        return CliRunner().invoke(tune, options)


@pytest.fixture
def notes(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
) -> Notes:
    write_collection(tmp_path)
    configuration = configure(CONFIGURATION)
    run_stages(make_run_context(configuration))
    models = ModelCache(configuration.home / "models")
    models.add_embedder(MODEL, embedder)
    return Notes(tmp_path, database, configuration, models)


def ask(query: str, *, rerank: bool = False) -> SearchRequest:
    return SearchRequest(
        "notes", query, EVALUATED_HITS, rerank=rerank, principals=ALL_PRINCIPALS, explain=True,
        depth_top_k=SERVED_TOP_K,
    )  # fmt: skip


def list_hits(answer: SearchAnswer) -> list[tuple[int, float]]:
    return [(hit.receipt.entry_id, hit.score) for hit in answer.hits]


def test_recombined_scores_equal_those_of_real_searches(notes: Notes) -> None:
    golden = read_golden_set(notes.folder / "golden", "tune")
    searched = notes.search_once(golden, vector_weight=0.0, feedback_weight=0.9)
    means = set()
    for values in SAMPLES:
        searcher, settings = notes.make_searcher(**values), SearchSettings(**values)
        for key, query in golden.queries.items():
            fusion = searched.fuse(key, settings)
            computed = zip(fusion.list_ids(200), fusion.list_scores(200), strict=True)
            assert list(computed) == list_hits(searcher.search(ask(query), generation_id=1)), (
                values,
                query,
            )
        mean = float(searched.score(settings).mean())
        measured = evaluate(searcher, "notes", golden).measures["ndcg@10"]
        assert mean == pytest.approx(measured, abs=1e-12)
        means.add(round(mean, 6))
    # The settings matter here: otherwise the comparison would show nothing.
    assert len(means) > 2


def test_recombined_reranking_equals_real_searches(notes: Notes) -> None:
    golden = read_golden_set(notes.folder / "golden", "tune")
    base = {"vector_weight": 0.7, "feedback_weight": 0.2}
    searched = notes.search_once(golden, **base)
    reranker = notes.make_searcher().reranker("late-interaction", MODEL)
    reranked = RerankedQueries(searched, SearchSettings(**base), reranker, 50, SilentProgress())
    for values in ({}, {"rerank_weight": 0.9, "rerank_candidates": 4}, {"rerank_weight": 0.0}):
        searcher = notes.make_searcher(**base, **values)
        for key, query in list(golden.queries.items())[:5]:
            entries = reranked.rerank(key, SearchSettings(**base, **values))
            real = list_hits(searcher.search(ask(query, rerank=True), generation_id=1))
            computed = {entry.row["id"]: entry.score for entry in entries}
            assert computed == pytest.approx(dict(real), abs=RERANK_TOLERANCE)
            scores = [computed[id_] for id_, _ in real]
            assert scores == pytest.approx(sorted(scores, reverse=True), abs=RERANK_TOLERANCE)


def test_wrong_weights_are_found_and_better_ones_are_proposed(notes: Notes) -> None:
    bad = notes.configuration.collection("notes").model_copy(
        update={"search": SearchSettings(vector_weight=0.0)}
    )
    report = tune_collection(
        notes.database, notes.configuration.replace_collection(bad), "notes",
        notes.folder / "golden", models=notes.models, budget=Budget(40, 4, 11),
        stages=("search",),
    )  # fmt: skip
    (stage,) = report.stages
    assert stage.decision == "propose"
    assert "vector_weight" in {change.setting for change in report.proposed}
    assert stage.validated is not None
    assert stage.untouched is not None
    assert stage.validated.low > 0
    assert stage.untouched.difference > 0
    assert stage.untouched.queries == report.untouched_queries
    assert report.tune_queries + report.untouched_queries == 64
    assert sum(gain.queries for gain in stage.by_split.values()) == report.untouched_queries


def test_command_writes_a_proposal_and_changes_nothing(notes: Notes) -> None:
    path = notes.folder / "ragline.yaml"
    path.write_text(
        path.read_text("utf-8").replace(
            "    golden:", "    search: {vector_weight: 0.0}\n    golden:"
        ),
        encoding="utf-8",
    )
    before, rows = path.read_bytes(), count_rows(notes.database)
    answer = notes.run("--json", "--output", str(notes.folder / "proposal.yaml"), "--trials", "30")
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.stdout)
    assert [stage["stage"] for stage in report["stages"]] == ["search", "rerank"]
    written = (notes.folder / "proposal.yaml").read_text("utf-8")
    (proposed,) = yaml.safe_load(written)["collections"]
    assert proposed == {
        "name": "notes",
        "search": {change["setting"]: change["chosen"] for change in report["proposed"]},
    }
    assert SearchSettings(**proposed["search"]).vector_weight > 0
    assert "vector_weight: 0.0" not in written
    assert "now 0.0" in written
    assert f"golden set {report['golden_hash'][:12]}" in written
    assert (path.read_bytes(), count_rows(notes.database)) == (before, rows)


def count_rows(database: Database) -> list[tuple[str, int]]:
    """The number of rows of each table that a tuning could change."""
    tables = ("generations", "generation_events", "entries_1", "evaluations", "search_requests")
    with database.connect() as connection:
        return [
            (table, connection.execute(text(f"select count(*) from ragline.{table}")).scalar_one())
            for table in tables
        ]


def count_entries(database: Database, generation_id: int) -> int:
    with database.connect() as connection:
        statement = text(f"select count(*) from ragline.entries_{generation_id}")
        return int(connection.execute(statement).scalar_one())


def test_good_settings_are_kept(notes: Notes) -> None:
    found = notes.run("--json", "--no-rerank", "--trials", "30")
    (stage,) = json.loads(found.stdout)["stages"]
    best = {change["setting"]: change["chosen"] for change in stage["changes"]}
    path = notes.folder / "ragline.yaml"
    settings = json.dumps(best)
    path.write_text(
        path.read_text("utf-8").replace("    golden:", f"    search: {settings}\n    golden:"),
        encoding="utf-8",
    )
    answer = notes.run("--no-rerank", "--trials", "30", "--output", str(notes.folder / "out.yaml"))
    assert answer.exit_code == 0, answer.output
    assert "notes: keep your settings" in answer.stdout
    written = (notes.folder / "out.yaml").read_text("utf-8")
    assert yaml.safe_load(written) is None
    assert written.endswith("# Keep your settings.\n")


def test_too_few_queries_are_refused_with_the_number_that_is_needed(notes: Notes) -> None:
    queries = notes.folder / "golden" / "queries.jsonl"
    kept = queries.read_text("utf-8").splitlines()[:20]
    queries.write_text("\n".join(kept), encoding="utf-8")
    judged = notes.folder / "golden" / "qrels" / "test.tsv"
    judged.write_text("\n".join(judged.read_text("utf-8").splitlines()[:21]), encoding="utf-8")
    answer = notes.run()
    assert isinstance(answer.exception, GoldenSetError)
    assert "judged queries, and a tuning needs at least 20; judge more queries with" in str(
        answer.exception
    )


def test_query_in_two_splits_is_refused(notes: Notes) -> None:
    qrels = notes.folder / "golden" / "qrels"
    (qrels / "tune.tsv").write_bytes((qrels / "test.tsv").read_bytes())
    answer = notes.run()
    assert isinstance(answer.exception, GoldenSetError)
    assert "is in the splits tune and gate; remove its judgements" in str(answer.exception)


def test_chunk_sizes_are_tried_in_a_scratch_database(notes: Notes) -> None:
    before = count_rows(notes.database)
    answer = notes.run("--json", "--no-rerank", "--chunking", "--trials", "2", "--folds", "2")
    assert answer.exit_code == 0, answer.output
    search, chunking = json.loads(answer.stdout)["stages"]
    assert (search["stage"], chunking["stage"]) == ("search", "chunking")
    # A document has four facts. Chunks of 20 tokens separate them, and larger ones do not.
    assert chunking["decision"] == "keep"
    assert count_rows(notes.database) == before
    assert list_scratches(notes.database) == []


def test_trial_index_has_the_scores_of_the_live_generation(notes: Notes) -> None:
    index = MeasuredIndex(notes.database, notes.configuration, notes.models, SilentProgress())
    settings = notes.configuration.collection("notes")
    golden = read_golden_set(notes.folder / "golden", "tune")
    live = index.measure(settings, 1, golden)
    with open_trial_index(index, "notes") as scratch:
        name = scratch.database.engine.url.database
        assert name != notes.database.engine.url.database
        equal = build_trial(scratch, settings, settings.chunking)
        measured = scratch.measure(settings, equal, golden)
        larger = build_trial(scratch, settings, ChunkingSettings(max_tokens=200, overlap_tokens=0))
        counts = [count_entries(scratch.database, one) for one in (equal, larger)]
    assert np.array_equal(measured, live)
    assert counts[0] == count_entries(notes.database, 1) > counts[1]
    with notes.database.connect() as connection:
        names = connection.execute(text("select datname from pg_database")).scalars().all()
    assert name not in names


def list_scratches(database: Database) -> list[str]:
    """The scratch databases of a database."""
    statement = (
        "select datname from pg_database where datname like concat('ragline\\_scratch\\_', (select "
        "oid from pg_database where datname = current_database()), '\\_%')"
    )
    with database.connect() as connection:
        return list(connection.execute(text(statement)).scalars())


def test_user_without_the_right_learns_it_before_the_work(
    notes: Notes, database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = notes.database.engine.url
    administration = database_server.administration
    administration.execute("create role tuner login")
    try:
        administration.execute(f"grant {owner.username} to tuner".encode())
        address = owner.set(username="tuner").render_as_string(hide_password=False)
        monkeypatch.setenv("RAGLINE_DATABASE_URL", address)
        answer = notes.run("--chunking")
        assert isinstance(answer.exception, DatabaseUnavailableError)
        said = str(answer.exception)
        assert "(permission denied to create database); run `alter role tuner createdb`" in said
        assert said.endswith(", or run `ragline tune` without `--chunking`")
        assert "queries" not in answer.output
        administration.execute("alter role tuner createdb")
        answer = notes.run("--chunking")
        assert isinstance(answer.exception, DatabaseUnavailableError)
        assert "run `create extension vector` in the database template1" in str(answer.exception)
        assert list_scratches(notes.database) == []
    finally:
        administration.execute("drop role tuner")


def test_scratch_database_of_a_killed_tuning_is_dropped_by_the_next_one(notes: Notes) -> None:
    home = Home(notes.folder, notes.database.url)
    options = ("--chunking", "--no-rerank", "--trials", "1", "--folds", "2")
    process = home.start("tune", "notes", *options)
    wait_until(lambda: list_scratches(notes.database), process)
    (left,) = list_scratches(notes.database)
    # Another tuning keeps it while its process lives.
    with open_scratch_database(notes.database, "") as scratch:
        own = str(scratch.engine.url.database)
        assert sorted(list_scratches(notes.database)) == sorted([left, own])
    assert list_scratches(notes.database) == [left]
    process.kill()
    process.communicate(timeout=60)
    wait_for_free(notes.database, left)
    with open_scratch_database(notes.database, "") as scratch:
        own = str(scratch.engine.url.database)
        assert list_scratches(notes.database) == [own]
    assert list_scratches(notes.database) == []


def wait_for_free(database: Database, name: str) -> None:
    """Wait until the server has ended the sessions of a killed process."""
    statement = text("select count(*) from pg_stat_activity where datname = :name")
    deadline = monotonic() + 60
    with database.engine.connect() as connection:
        while connection.execute(statement, {"name": name}).scalar():
            assert monotonic() < deadline
            connection.rollback()
            sleep(0.05)
