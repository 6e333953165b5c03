"""`ragline gate` over copies of a live generation: its checks, its reports and its exit statuses.

`test_planted_regressions` builds candidates with real faults.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from database_copies import DatabaseServer, SharedDatabase
from planted_candidates import (
    CONFIGURATION,
    SOURCES,
    SUBJECTS,
    damage,
    outcomes,
    plant_candidate,
    plant_shuffled_space,
    reason,
    share_collection,
)
from sqlalchemy import Connection, text

from ragline.commands.gate import gate
from ragline.commands.generation import generation
from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.errors import UnknownGenerationError, UnknownReportError
from ragline.gate import index_checks
from ragline.gate.judgement import Gate, judge_candidate
from ragline.gate.markdown import write_markdown
from ragline.gate.report import GateReport
from ragline.gate.reproduction import reproduce_report
from ragline.gate.stored_reports import (
    find_latest_report,
    list_reports,
    read_report,
    store_report,
)
from ragline.lifecycle.generation_decisions import Decision, drop_by_decision, promote_by_id
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache
from ragline.search import candidates
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

OTHER_VECTOR = (
    "update {entries} set embedding = (select embedding from {entries} where id = 9) where id <= 3"
)
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass
class Notes:
    """A synced collection, and what a test needs to judge a candidate of it."""

    folder: Path
    database: Database
    configuration: Configuration
    models: ModelCache
    configure: Callable[[str], Configuration]

    def judge(self, candidate: int | None = None) -> GateReport:
        return judge_candidate(
            self.database, self.configuration, "notes", candidate, models=self.models
        )

    def use(self, old: str, new: str) -> None:
        """Change the configuration that the next gate uses."""
        assert old in CONFIGURATION
        self.configuration = self.configure(CONFIGURATION.replace(old, new))


@pytest.fixture(scope="module")
def synced(
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
) -> SharedDatabase:
    """The collection, synced once for all tests."""
    return share_collection(database_server, "notes", template, CONFIGURATION, embedder, run_stages)


@pytest.fixture
def database_url(synced: SharedDatabase, database_server: DatabaseServer) -> Iterator[str]:
    """A copy of the synced database."""
    with database_server.copy(synced.name) as url:
        yield url


@pytest.fixture
def notes(
    tmp_path: Path,
    synced: SharedDatabase,
    database: Database,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
) -> Notes:
    shutil.copytree(synced.folder, tmp_path, dirs_exist_ok=True)
    configuration = configure(CONFIGURATION)
    models = ModelCache(configuration.home / "models")
    models.add_embedder(MODEL, embedder)
    models.add_embedder("shuffled", embedder)
    return Notes(tmp_path, database, configuration, models, configure)


def test_equal_generation_passes_every_check(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    report = notes.judge()
    assert (report.verdict, report.reasons) == ("passed", ())
    assert report.live is not None
    assert (report.live.id, report.candidate.id) == (1, candidate)
    assert (report.queries, report.failed_live, report.failed_candidate) == (64, 0, 0)
    assert set(outcomes(report)) == {
        "sync_proof", "index_recall", "shadow_reads", "latency", "golden_set", "ndcg@10",
        "recall@10", "mrr@10", "reranking", "slices", "thresholds", "abstention",
    }  # fmt: skip
    assert {one.difference for one in (*report.measures, *report.slices)} == {0.0}
    # The golden set is good enough for a search to be wrong sometimes, and right in most cases.
    assert 0.6 < report.measures[0].live < 1.0
    assert report.fallen == ()
    assert report.golden_set_version is not None


def test_gate_changes_no_generation(notes: Notes) -> None:
    plant_candidate(notes.database)
    notes.judge()
    with notes.database.connect() as connection:
        states = connection.execute(text("select state from ragline.generations order by id"))
        assert list(states.scalars()) == ["live", "candidate"]


def test_generation_that_is_being_built_is_judged_only_by_its_id(notes: Notes) -> None:
    candidate = plant_candidate(notes.database, state="building")
    with pytest.raises(UnknownGenerationError, match="no complete candidate"):
        notes.judge()
    assert notes.judge(candidate).candidate.state == "building"


def test_model_with_shuffled_vectors_is_refused_for_its_scores(notes: Notes) -> None:
    space = plant_shuffled_space(notes.database, "shuffled")
    candidate = plant_candidate(notes.database, str(space))
    damage(
        notes.database,
        "update {entries} as e set embedding = v.embedding from ragline.embeddings as v "
        f"where v.text_hash = e.text_hash and v.embedding_space_id = {space}",
        candidate,
    )
    report = notes.judge()
    assert report.verdict == "refused"
    assert outcomes(report)["sync_proof"] == "passed"
    assert outcomes(report)["ndcg@10"] == "refused"
    assert "nDCG@10 falls by" in report.reasons[0]
    assert "chance does not explain it" in report.reasons[0]
    # The queries that fell are shown with both lists, the largest fall first.
    (worst, *_) = report.fallen
    assert worst.live_ndcg - worst.candidate_ndcg > 0.3
    assert worst.live != worst.candidate
    assert any(document.grade == 1 for document in worst.live)
    assert worst.live[0].words


def test_source_that_was_never_indexed_is_named_by_the_sync_proof(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    damage(notes.database, "delete from {entries} where source = 'town'", candidate)
    damage(
        notes.database,
        "delete from ragline.placements where generation_id = {candidate} and document_key in "
        "(select d.id from ragline.documents as d join ragline.sources as s on s.id = d.source_id "
        "where s.name = 'town')",
        candidate,
    )
    assert "it lacks 5 readable documents of the source town" in reason(
        notes.judge(candidate), "sync_proof"
    )
    with pytest.raises(UnknownGenerationError, match="no complete candidate"):
        notes.judge()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update {entries} set text = 'old text' where id <= 3", "entries without chunk in"),
        ("update {entries} set content_hash = repeat('0', 64) where id <= 3", "stale entries in"),
        (
            OTHER_VECTOR,
            "entries without embedding in",
        ),
    ],
)
def test_stale_text_and_stale_embeddings_are_refused_by_the_sync_proof(
    notes: Notes, statement: str, said: str
) -> None:
    candidate = plant_candidate(notes.database)
    damage(notes.database, statement, candidate)
    report = notes.judge()
    assert report.verdict == "refused"
    assert said in reason(report, "sync_proof")
    assert report.reasons[0] == reason(report, "sync_proof")


def test_good_vector_index_passes_and_a_missing_one_is_refused(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    notes.use("golden: ./golden", "golden: ./golden\n    hnsw_from_entries: 10")
    missing = notes.judge()
    assert outcomes(missing)["index_recall"] == "refused"
    assert "no valid vector index" in reason(missing, "index_recall")
    damage(
        notes.database,
        "create index entries_{candidate}_embedding_idx on {entries} "
        "using hnsw (embedding halfvec_cosine_ops)",
        candidate,
    )
    report = notes.judge()
    assert report.index_recall == 1.0
    assert report.verdict == "passed", report.reasons
    assert report.candidate.has_vector_index


def test_slow_generation_is_refused(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = plant_candidate(notes.database)
    retrieve = candidates.retrieve_candidates

    def wait(connection, retrieval):
        if retrieval.generation.id == candidate:
            connection.execute(text("select pg_sleep(0.1)"))
        return retrieve(connection, retrieval)

    monkeypatch.setattr("ragline.search.searcher.retrieve_candidates", wait)
    report = notes.judge()
    assert report.latency is not None
    assert report.latency.candidate_p50_ms > 100
    assert outcomes(report)["latency"] == "refused"
    assert report.verdict == "refused"


def judge_subjects(folder: Path) -> None:
    """Judge each document as relevant that has the subject of a query."""
    documents = {}
    for source in SOURCES:
        for line in (folder / f"{source}.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            documents[record["_id"]] = record["text"]
    lines = ["query-id\tcorpus-id\tscore"]
    for line in (folder / "golden" / "queries.jsonl").read_text("utf-8").splitlines():
        query = json.loads(line)
        subject = next(one for one, word in SUBJECTS.items() if query["text"].startswith(word))
        lines += [f"{query['_id']}\t{key}\t1" for key, text in documents.items() if subject in text]
    path = folder / "golden" / "qrels" / "test.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")


def test_release_with_too_few_candidates_is_refused(notes: Notes) -> None:
    # A query has several relevant documents, and a leg with ten candidates does not reach them all.
    # With this weight, the number of candidates does not change the order of the entries.
    judge_subjects(notes.folder)
    notes.use("golden: ./golden", "golden: ./golden\n    search: {vector_weight: 1}")
    forced = Decision("ada", "only vectors", is_forced=True)
    promote_by_id(notes.database, notes.configuration, 1, forced)
    few = "golden: ./golden\n    search: {vector_weight: 1, candidates: 10}"
    notes.use("golden: ./golden", few)
    report = notes.judge()
    assert report.changed_settings == ("search.candidates",)
    assert outcomes(report)["recall@10"] == "refused"
    assert "recall@10 falls by" in reason(report, "recall@10")
    notes.use("golden: ./golden", few.replace("10", "64"))
    assert outcomes(notes.judge())["recall@10"] == "passed"


def test_small_falls_cannot_add_up_below_a_threshold(notes: Notes) -> None:
    plant_candidate(notes.database)
    mean = notes.judge().measures[0].candidate
    # The live generation has the same mean, so no comparison refuses the candidate.
    notes.use(
        "golden: ./golden", f"golden: ./golden\n    thresholds: {{ndcg@10: {mean + 0.01:.4f}}}"
    )
    report = notes.judge()
    assert report.verdict == "refused"
    assert [name for name, outcome in outcomes(report).items() if outcome == "refused"] == [
        "thresholds"
    ]
    said = f"nDCG@10 of the candidate is {mean:.4f}, and the setting thresholds requires at least"
    assert report.reasons == (f"{said} {round(mean + 0.01, 4):g}.",)
    assert report.measures[0].threshold == round(mean + 0.01, 4)
    assert f"{mean:.4f} (at least {round(mean + 0.01, 4):g})" in write_markdown(report)
    notes.use("golden: ./golden", f"golden: ./golden\n    thresholds: {{ndcg@10: {mean:.4f}}}")
    reached = notes.judge()
    assert reached.verdict == "passed"
    assert f"requires at least {round(mean, 4):g}" in reason(reached, "thresholds")


class RandomReranker:
    """A reranker whose scores have nothing to do with the query."""

    name = "test/random"

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        return [float(sha256(f"{query} {one}".encode()).digest()[0]) for one in texts]


def test_reranker_that_makes_reranked_searches_worse_is_refused(notes: Notes) -> None:
    notes.models.add_reranker("test/random", MODEL, RandomReranker())
    notes.use("golden: ./golden", "golden: ./golden\n    reranker: test/random\n"
              "    search: {rerank_weight: 1}")  # fmt: skip
    report = notes.judge()
    assert [name for name, outcome in outcomes(report).items() if outcome == "refused"] == [
        "reranking"
    ]
    assert report.reasons == (reason(report, "reranking"),)
    assert "In reranked searches, nDCG@10 falls by" in report.reasons[0]
    found = {one.measure: one for one in report.measures}
    # Searches without reranking do not change. The live generation is reranked by its own release.
    assert found["ndcg@10"].difference == 0.0
    assert found["reranked ndcg@10"].live > found["ndcg@10"].live - 0.1
    assert {one.is_reranked for one in report.fallen} == {True}
    assert len(report.fallen) > 20
    assert "With reranking, nDCG@10 falls from" in write_markdown(report)


def test_without_a_golden_set_the_gate_does_not_decide_and_says_what_is_missing(
    notes: Notes,
) -> None:
    plant_candidate(notes.database)
    notes.use("    golden: ./golden\n", "")
    report = notes.judge()
    assert report.verdict == "undecidable"
    assert "Add `golden: FOLDER`" in report.reasons[0]


def test_golden_set_whose_documents_are_mostly_gone_is_refused_with_the_numbers(
    notes: Notes,
) -> None:
    plant_candidate(notes.database)
    path = notes.folder / "golden" / "qrels" / "test.tsv"
    lines = path.read_text("utf-8").splitlines()
    gone = [line if n <= 31 else line.replace("\t", "\tgone-", 1) for n, line in enumerate(lines)]
    path.write_text("\n".join(gone), encoding="utf-8")
    report = notes.judge()
    assert report.verdict == "refused"
    assert outcomes(report)["golden_set"] == "refused"
    assert report.reasons[0].startswith("33 of 64 judgements (52%) are about documents that are")
    assert "and at most 50% may be" in report.reasons[0]
    assert "lacks " in report.reasons[0]
    # Up to the limit, the golden set is used: a gone document is missing in both generations.
    notes.use("golden: ./golden", "golden: ./golden\n    gate: {max_gone_judgements: 0.52}")
    assert outcomes(notes.judge())["ndcg@10"] == "passed"


def test_slices_are_made_from_documents_tags_and_lengths(notes: Notes) -> None:
    plant_candidate(notes.database)
    path = notes.folder / "golden" / "queries.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    tagged = [line | ({"tags": ["faq"]} if n < 20 else {}) for n, line in enumerate(lines)]
    path.write_text("\n".join(map(json.dumps, tagged)), encoding="utf-8")
    sizes = {one.slice: one.queries for one in notes.judge().slices}
    assert sizes["tag = faq"] == 20
    assert sum(sizes[f"source = {name}"] for name in SOURCES) == 64
    assert any(name and name.startswith("length = ") for name in sizes)


def test_split_with_too_few_queries_is_not_decided(notes: Notes) -> None:
    plant_candidate(notes.database)
    report = judge_candidate(
        notes.database, notes.configuration, "notes", split="holdout", models=notes.models
    )
    assert (report.split, report.verdict) == ("holdout", "undecidable")
    assert report.queries < 20
    assert f"has {report.queries} judged queries, and the gate needs at least 20" in (
        reason(report, "golden_set")
    )


def test_search_of_a_named_generation_uses_its_entries(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    damage(notes.database, "delete from {entries} where source <> 'town'", candidate)
    searcher = Searcher(notes.database, notes.configuration, models=notes.models)
    request = SearchRequest("notes", "port fixed timepiece", top_k=50)
    answer = searcher.search(request, generation_id=candidate)
    assert answer.generation == candidate
    assert {hit.source for hit in answer.hits} == {"town"}
    assert {hit.receipt.generation for hit in answer.hits} == {candidate}
    assert searcher.search(request).generation == 1
    damage(notes.database, "update ragline.generations set state = 'abandoned' where id = "
           "{candidate}", candidate)  # fmt: skip
    with pytest.raises(UnknownGenerationError, match=f"no generation {candidate}"):
        searcher.search(request, generation_id=candidate)


def run_gate(notes: Notes, *arguments: str) -> Result:
    options = ["--config", str(notes.folder / "ragline.yaml"), *arguments]
    return CliRunner().invoke(gate, ["notes", *options])


def test_every_error_ends_the_command_with_the_status_2(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = plant_candidate(notes.database)
    missing = notes.folder / "missing" / "gate.xml"
    unwritten = run_gate(notes, "--junit", str(missing))
    assert unwritten.exit_code == 2
    assert f"cannot write {missing}: there is no folder {missing.parent}" in unwritten.stderr
    # Nothing was judged.
    assert list_reports(notes.database) == []
    # The candidate is abandoned while it is judged.
    find_generations = index_checks.list_generations

    def abandon_first(connection: Connection, collection: str) -> list[Generation]:
        damage(notes.database, "update ragline.generations set state = 'abandoned' where id = "
               "{candidate}", candidate)  # fmt: skip
        return find_generations(connection, collection)

    monkeypatch.setattr(index_checks, "list_generations", abandon_first)
    gone = run_gate(notes)
    assert gone.exit_code == 2
    assert "UnknownGenerationError: generation 2 of notes was refused, abandoned" in gone.stderr


def test_command_writes_every_form_of_the_report_and_exits_with_the_verdict(
    notes: Notes,
) -> None:
    nothing = run_gate(notes)
    assert nothing.exit_code == 2
    assert "no complete candidate to judge" in nothing.stderr
    assert "`ragline generation build notes` builds one" in nothing.stderr
    candidate = plant_candidate(notes.database)
    passed = run_gate(notes)
    assert passed.exit_code == 0, passed.output
    assert "generation 2 against live generation 1: passed (64 queries" in passed.stdout
    damage(notes.database, "delete from {entries} where mod(id, 3) = 0", candidate)
    junit, markdown = notes.folder / "gate.xml", notes.folder / "gate.md"
    refused = run_gate(notes, "--json", "--junit", str(junit), "--markdown", str(markdown))
    assert refused.exit_code == 1, refused.output
    report = json.loads(refused.stdout)
    assert report["verdict"] == "refused"
    assert report["candidate"]["id"] == candidate
    assert report["seed"] > 0
    stored = read_report(notes.database, report["report_id"])
    assert (stored.verdict, stored.candidate_id, stored.live_id) == ("refused", candidate, 1)
    latest = find_latest_report(notes.database, candidate)
    assert latest is not None
    assert latest.id == stored.id
    # The first report is the one that was printed without --json.
    shown = CliRunner().invoke(
        generation,
        ["show", str(candidate), "--json", "--config", str(notes.folder / "ragline.yaml")],
    )
    listed = json.loads(shown.stdout)["gate_reports"]
    assert [one["verdict"] for one in listed] == ["refused", "passed"]
    assert f"report {listed[1]['id']}" in passed.stdout
    suite = ET.parse(junit).getroot()  # noqa: S314  the test wrote this file
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {"sync_proof", "ndcg@10"} <= failed
    assert suite.get("failures") == str(len(failed))
    page = markdown.read_text("utf-8")
    assert page.startswith("# Gate of notes: refused\n")
    assert "## Queries that fell" in page
    assert f"seed {report['seed']}" in page


def test_stored_report_is_equal_without_the_words_of_documents(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    damage(notes.database, "delete from {entries} where mod(id, 3) = 0", candidate)
    report = notes.judge()
    shown = [one for query in report.fallen for one in (*query.live, *query.candidate)]
    assert any(one.words for one in shown)
    stored = read_report(notes.database, store_report(notes.database, report, "ada"))
    assert stored.asked_by == "ada"
    kept = [one for query in stored.report.fallen for one in (*query.live, *query.candidate)]
    assert [one.document_id for one in kept] == [one.document_id for one in shown]
    assert not any(one.words for one in kept)
    assert replace(stored.report, fallen=()) == replace(report, fallen=())
    assert len(stored.report.candidate.parser_fingerprints) == 1
    fingerprints = stored.report.candidate
    for value in (
        fingerprints.space_fingerprint,
        fingerprints.chunker_fingerprint,
        *fingerprints.parser_fingerprints,
    ):
        assert value in write_markdown(stored.report)


def test_reports_of_another_tenant_are_hidden(notes: Notes) -> None:
    plant_candidate(notes.database)
    stored = store_report(notes.database, notes.judge(), "ada")
    own, other = (notes.database.for_tenant(name) for name in ("default", "other"))
    assert [one.id for one in list_reports(own, collection="notes")] == [stored]
    assert list_reports(other) == []
    assert find_latest_report(notes.database, 1) is None
    with pytest.raises(UnknownReportError, match=f"no gate report {stored}"):
        read_report(other, stored)


def test_stored_report_is_made_again(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    report_id = store_report(notes.database, notes.judge(), "ada")
    stored = read_report(notes.database, report_id)
    again = reproduce_report(notes.database, notes.configuration, stored, models=notes.models)
    assert (again.outcome, again.obstacles) == ("agrees", ())
    assert [one.name for one in again.figures[:3]] == [
        "ndcg@10 live", "ndcg@10 candidate", "ndcg@10 p_value"
    ]  # fmt: skip
    with notes.database.begin() as connection:
        connection.exec_driver_sql(f"delete from ragline.entries_{candidate}")
    worse = reproduce_report(notes.database, notes.configuration, stored, models=notes.models)
    assert worse.outcome == "differs"
    queries = notes.folder / "golden" / "queries.jsonl"
    more = queries.read_text("utf-8") + '\n{"_id": "new", "text": "new"}\n'
    queries.write_text(more, "utf-8")
    changed = reproduce_report(notes.database, notes.configuration, stored, models=notes.models)
    assert changed.outcome == "impossible"
    assert stored.golden_set_version is not None
    assert stored.golden_set_version in changed.obstacles[0]


def remove_model(notes: Notes) -> None:
    notes.models = ModelCache(notes.configuration.home / "models")
    with notes.database.begin() as connection:
        connection.execute(text("update ragline.embedding_spaces set model = 'acme/missing'"))


def change_golden_set(notes: Notes) -> None:
    with (notes.folder / "golden" / "qrels" / "test.tsv").open("a", encoding="utf-8") as file:
        file.write("\nq0\ttown-1\t0\n")


def promote_and_drop(notes: Notes) -> None:
    promote_by_id(notes.database, notes.configuration, 2, Decision("ada"))
    drop_by_decision(notes.database, notes.configuration, 1, Decision("ada"))


CHANGES: dict[str, Callable[[Notes], None]] = {
    "generation 1, which it replaced, is dropped": promote_and_drop,
    "The golden set has version": change_golden_set,
    "golden set needs it": lambda notes: (notes.folder / "golden" / "queries.jsonl").unlink(),
    "The settings of the gate, thresholds or search have changed": lambda notes: notes.use(
        "golden: ./golden", "golden: ./golden\n    thresholds: {mrr@10: 0.1}"
    ),
    "acme/missing": remove_model,
}


@pytest.mark.parametrize("said", CHANGES)
def test_report_that_cannot_be_made_again_is_refused_before_any_work(
    notes: Notes, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    plant_candidate(notes.database)
    stored = read_report(notes.database, store_report(notes.database, notes.judge(), "ada"))
    CHANGES[said](notes)

    def fail(_: Gate) -> None:
        raise AssertionError("the gate has begun its work")

    monkeypatch.setattr(Gate, "measure", fail)
    again = reproduce_report(notes.database, notes.configuration, stored, models=notes.models)
    assert again.outcome == "impossible"
    assert said in again.obstacles[0]
