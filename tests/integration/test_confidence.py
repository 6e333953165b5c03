"""Confidence with the real model: calibrations, `min_confidence`, and silence in the gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from database_copies import DatabaseServer, SharedDatabase
from planted_candidates import CONFIGURATION, plant_candidate, share_collection
from sqlalchemy import text

from ragline.commands.calibrate import calibrate
from ragline.commands.search import search
from ragline.confidence.calibration import SearchKind
from ragline.confidence.stored_calibrations import StoredCalibration, read_calibrations
from ragline.configuration import Configuration, load_configuration
from ragline.embedder.embedder import Embedder
from ragline.errors import InvalidSearchError, UnknownGenerationError
from ragline.evaluation import calibration_run
from ragline.evaluation.calibration_run import KINDS, refresh_calibrations
from ragline.gate.judgement import judge_candidate
from ragline.gate.report import Check, GateReport
from ragline.gate.reproduction import GateReproduction, reproduce_report
from ragline.gate.stored_reports import read_report, store_report
from ragline.golden_set.splits import choose_split
from ragline.lifecycle.generation_decisions import Decision, promote_by_id
from ragline.lifecycle.run_context import RunContext
from ragline.model_cache import ModelCache
from ragline.search.document_explanation import explain_document
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
HYBRID = SearchKind("hybrid", is_reranked=False)
THINGS = (
    "derivatives of trigonometric functions", "python dictionary methods",
    "quantum error correction", "sourdough starter temperature", "protein folding simulation",
    "mortgage interest deduction", "football transfer rumours", "orbital period of mars",
    "knitting a scarf", "antibiotic dosage for children", "compiler optimisation flags",
    "bitcoin mining hardware", "renaissance counterpoint", "volcano monitoring satellites",
)  # fmt: skip
UNANSWERABLE = [
    f"{start} {thing}" for thing in THINGS for start in ("introduction to", "best book about")
]


@dataclass
class Notes:
    """A synced collection whose golden set has queries without an answer."""

    folder: Path
    database: Database
    configuration: Configuration
    models: ModelCache
    configure: Callable[[Any], Configuration]

    @property
    def searcher(self) -> Searcher:
        return Searcher(self.database, self.configuration, models=self.models)

    def use(self, settings: str) -> None:
        """Add settings to the collection, and release those of searches."""
        content = CONFIGURATION.replace("golden: ./golden", f"golden: ./golden\n    {settings}")
        self.configuration = self.configure(content)
        if settings.startswith("search:"):
            forced = Decision("ada", "other searches", is_forced=True)
            promote_by_id(self.database, self.configuration, 1, forced)

    def calibrate(self, generation_id: int = 1) -> None:
        refresh_calibrations(
            self.database, self.searcher, self.configuration.collection("notes"),
            self.folder / "golden", generation_id,
        )  # fmt: skip

    def forget(self) -> None:
        with self.database.begin() as connection:
            connection.execute(text("delete from ragline.calibrations"))

    def plant_calibrations(self, generation_id: int, *, intercept: int) -> None:
        """Copy the calibrations of the live generation, with another intercept."""
        columns = "mode, is_reranked, figures, golden_set_version, settings_fingerprint"
        with self.database.begin() as connection:
            connection.exec_driver_sql(
                f"insert into ragline.calibrations (generation_id, {columns}, code_version, model, "
                f"reason) select {generation_id}, {columns}, code_version, "
                f"jsonb_set(model, '{{intercept}}', '{intercept}'), reason "
                "from ragline.calibrations"
            )

    def read(self, generation_id: int = 1) -> dict[SearchKind, StoredCalibration]:
        with self.database.connect() as connection:
            return read_calibrations(connection, generation_id)

    def search(self, query: str, **options: Any) -> SearchAnswer:
        return self.searcher.search(SearchRequest("notes", query, **options))

    def judge(self) -> GateReport:
        return judge_candidate(self.database, self.configuration, "notes", models=self.models)


@pytest.fixture(scope="module")
def prepared(
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
) -> SharedDatabase:
    """The collection with queries without an answer, synced and calibrated once."""

    def calibrate(folder: Path, database: Database) -> None:
        path = folder / "golden" / "queries.jsonl"
        added = [
            json.dumps({"_id": f"none{number}", "text": query, "answerable": False})
            for number, query in enumerate(UNANSWERABLE)
        ]
        path.write_text("\n".join([path.read_text("utf-8"), *added]), encoding="utf-8")
        configuration = load_configuration(folder / "ragline.yaml")
        models = ModelCache(configuration.home / "models")
        models.add_embedder(MODEL, embedder)
        Notes(folder, database, configuration, models, load_configuration).calibrate()

    return share_collection(
        database_server, "calibrated", template, CONFIGURATION, embedder, run_stages, calibrate
    )


@pytest.fixture
def database_url(prepared: SharedDatabase, database_server: DatabaseServer) -> Iterator[str]:
    """A copy of the prepared database."""
    with database_server.copy(prepared.name) as url:
        yield url


@pytest.fixture
def notes(
    tmp_path: Path,
    prepared: SharedDatabase,
    database: Database,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
) -> Notes:
    shutil.copytree(prepared.folder, tmp_path, dirs_exist_ok=True)
    configuration = configure(CONFIGURATION)
    models = ModelCache(configuration.home / "models")
    models.add_embedder(MODEL, embedder)
    return Notes(tmp_path, database, configuration, models, configure)


def find_check(report: GateReport) -> Check:
    return next(check for check in report.checks if check.name == "abstention")


def test_calibration_is_fitted_once_for_each_kind_and_again_after_a_change(notes: Notes) -> None:
    first = notes.read()
    assert first.keys() == set(KINDS)
    # The words of these queries and documents differ, so the keyword leg finds few documents.
    for stored in (first[kind] for kind in KINDS if kind.mode != "keyword"):
        assert stored.fitted.calibration is not None, stored.fitted.reason
        assert max(stored.fitted.calibration.weights) > 0
        assert stored.fitted.figures["brier"] < stored.fitted.figures["base_brier"]
    notes.use("search: {min_confidence: 0.3}")
    notes.calibrate()
    # The minimum does not change the confidence of a hit, so nothing was fitted.
    assert notes.read() == first
    with (notes.folder / "golden" / "queries.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"_id": "new", "text": "one more query", "answerable": false}')
    notes.calibrate()
    assert notes.read()[HYBRID].origin != first[HYBRID].origin
    with pytest.raises(UnknownGenerationError):
        notes.calibrate(99)


def test_hits_of_queries_with_an_answer_have_more_confidence(notes: Notes) -> None:
    for options in ({}, {"rerank": True}, {"mode": "vector"}):
        good = notes.search("the beekeeper bought two wooden doors", **options)
        bad = notes.search("introduction to quantum error correction in that year", **options)
        assert good.confidence_note is None
        assert good.hits[0].confidence > 0.5, options
        assert max([hit.confidence for hit in bad.hits], default=0.0) < 0.3, options


def test_search_abstains_and_the_answer_says_why(notes: Notes) -> None:
    notes.use("search: {min_confidence: 0.5}")
    silent = notes.search("knitting a scarf")
    assert (silent.hits, silent.is_abstained) == ((), True)
    assert "hits have a confidence below 0.5 and were removed" in (silent.confidence_note or "")
    assert not silent.has_found_nothing
    assert notes.search("knitting a scarf", min_confidence=0.0).hits
    cut = notes.search("the beekeeper bought two wooden doors")
    assert cut.hits
    assert all(hit.confidence >= 0.5 for hit in cut.hits)
    assert [hit.rank for hit in cut.hits] == list(range(1, len(cut.hits) + 1))


def test_without_a_calibration_the_minimum_is_never_ignored_in_silence(notes: Notes) -> None:
    notes.forget()
    found = notes.search("port repaired timepiece")
    assert {hit.confidence for hit in found.hits} == {None}
    assert "generation 1 has no calibration" in (found.confidence_note or "")
    with pytest.raises(InvalidSearchError, match="`ragline calibrate notes` makes one"):
        notes.search("knitting a scarf", min_confidence=0.5)
    notes.use("search: {min_confidence: 0.5}")
    kept = notes.search("knitting a scarf")
    assert kept.hits
    assert "search.min_confidence 0.5 has no effect" in (kept.confidence_note or "")


def test_command_prints_why_there_is_no_confidence_only_to_who_asks_for_it(notes: Notes) -> None:
    def run(*arguments: str) -> str:
        config = ["--config", str(notes.folder / "ragline.yaml")]
        done = CliRunner().invoke(search, ["notes", "knitting a scarf", *arguments, *config])
        assert done.exit_code == 0, done.output
        return done.stdout

    said = "The hits have no confidence, because"
    notes.forget()
    assert said not in run()
    for asked in (["--explain"], ["--min-confidence", "0"]):
        assert run(*asked).count(said) == 1, asked
    assert json.loads(run("--json"))["confidence_note"].startswith(said)
    notes.use("search: {min_confidence: 0.5}")
    assert "search.min_confidence 0.5 has no effect" in run()


def test_explanation_names_the_minimum_that_removes_a_hit(notes: Notes) -> None:
    document = notes.search("knitting a scarf").hits[0].document_id
    request = SearchRequest("notes", "knitting a scarf", min_confidence=0.5)
    explained = explain_document(notes.searcher, request, document)
    assert (explained.is_hit, explained.reason) == (False, "min_confidence")
    assert "min_confidence 0.5 removes it: a lower min_confidence would show it" in explained.answer


def shorten_golden_set(notes: Notes) -> None:
    for name in ("queries.jsonl", "qrels/test.tsv"):
        path = notes.folder / "golden" / name
        lines = path.read_text("utf-8").splitlines()
        path.write_text("\n".join(lines[:9]), encoding="utf-8")


def test_golden_set_that_is_too_small_gives_no_confidence_and_says_why(notes: Notes) -> None:
    shorten_golden_set(notes)
    notes.calibrate()
    note = notes.search("knitting a scarf").confidence_note or ""
    assert "has 5 queries, and a calibration needs at least 20" in note
    with pytest.raises(InvalidSearchError, match="the split tune of the golden set has"):
        notes.search("knitting a scarf", min_confidence=0.1)


def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The generations for which hits are collected from now on, one item for each kind."""
    collected: list[int] = []
    collect = calibration_run.collect_hits

    def collect_counted(*arguments: Any) -> Any:
        collected.append(arguments[-1])
        return collect(*arguments)

    monkeypatch.setattr(calibration_run, "collect_hits", collect_counted)
    return collected


def test_impossible_calibration_is_tried_again_only_after_a_change(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No hit is relevant: all hits have one class.
    path = notes.folder / "golden" / "qrels" / "test.tsv"
    path.write_text(path.read_text("utf-8").replace("\t1", "\t0"), encoding="utf-8")
    collected = count_fits(monkeypatch)
    candidate = plant_candidate(notes.database)
    notes.judge()
    assert sorted(collected) == [1] * len(KINDS) + [candidate] * len(KINDS)
    assert "0 relevant hits" in str(notes.read(candidate)[HYBRID].fitted.reason)
    notes.judge()
    notes.calibrate()
    assert len(collected) == 2 * len(KINDS)
    # Other judgements of the split `tune` are a change.
    queries = [f"q{n}" for n in range(64)]
    lines = ["query-id\tcorpus-id\tscore", *(f"{one}\ttown-1\t1" for one in queries)]
    (path.parent / "tune.tsv").write_text("\n".join(lines), encoding="utf-8")
    notes.calibrate()
    assert len(collected) == 3 * len(KINDS)
    notes.calibrate()
    assert len(collected) == 3 * len(KINDS)


def test_hit_that_one_leg_did_not_find_has_evidence_of_both(notes: Notes) -> None:
    request = SearchRequest("notes", "vessel of a school choir, in that long year again", 3)
    notes.use("search: {candidates: 1, vector_weight: 0.3}")
    entries = notes.searcher.rank(request, notes.searcher.prepare(request))
    found = [one.candidate for one in entries]
    lowest = min(one.vector_score for one in found if one.vector_score is not None)
    assert {one.vector_score is None for one in found} == {True, False}
    for one in found:
        assert 0 <= one.keyword_share < 1
        assert (one.keyword_share == 0) == (one.keyword_score is None)
        if one.vector_score is None:
            assert one.cosine <= lowest
        else:
            assert one.cosine == one.vector_score


def test_word_that_the_index_lacks_lowers_the_keyword_share(notes: Notes) -> None:
    def share(query: str) -> float:
        request = SearchRequest("notes", query, 1)
        return notes.searcher.rank(request, notes.searcher.prepare(request))[
            0
        ].candidate.keyword_share

    assert share("beekeeper bought zyzzyva") < 0.8 * share("beekeeper bought")
    assert share("the of and") == 0


def test_tenant_reads_only_calibrations_of_its_collections(notes: Notes) -> None:
    count = text("select count(*) from ragline.calibrations")
    with notes.database.for_tenant("default").connect() as connection:
        assert connection.execute(count).scalar_one() == len(KINDS)
    with notes.database.for_tenant("other").connect() as connection:
        assert connection.execute(count).scalar_one() == 0


def test_commands_calibrate_and_search_with_a_minimum(notes: Notes) -> None:
    config = ["--config", str(notes.folder / "ragline.yaml")]
    done = CliRunner().invoke(calibrate, ["notes", *config])
    assert done.exit_code == 0, done.output
    assert "hybrid, reranked    expected calibration error" in done.stdout
    silent = CliRunner().invoke(
        search, ["notes", "knitting a scarf", "--min-confidence", "0.5", *config]
    )
    assert "nothing good found" in silent.stdout
    found = CliRunner().invoke(search, ["notes", "the beekeeper bought two wooden doors", *config])
    assert "(confidence 0." in found.stdout


def test_command_says_once_how_many_queries_a_small_golden_set_lacks(notes: Notes) -> None:
    shorten_golden_set(notes)
    config = ["--config", str(notes.folder / "ragline.yaml")]
    done = CliRunner().invoke(calibrate, ["notes", *config])
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "notes: generation 1 has no calibration, because the split tune of the golden set has 5 "
        "queries, and a calibration needs at least 20; a golden set of about 40 queries has so "
        "many in this split\n"
    )


def test_gate_compares_answers_and_silence_of_both_generations(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    report = notes.judge()
    check = find_check(report)
    assert (report.verdict, check.outcome) == ("passed", "passed"), report.reasons
    assert notes.read(candidate).keys() == notes.read(1).keys() == set(KINDS)
    answered, silent = report.abstention
    assert answered.live > 0.3
    assert silent.live > 0.8
    assert silent.queries == sum(
        choose_split(f"none{number}") != "tune" for number in range(len(UNANSWERABLE))
    )
    assert f"of {silent.queries} queries without an answer" in check.reason


def test_gate_calibrates_a_candidate_if_the_live_generation_is_calibrated(notes: Notes) -> None:
    path = notes.folder / "golden" / "queries.jsonl"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(one for one in lines if "answerable" not in one), "utf-8")
    before = notes.read()
    candidate = plant_candidate(notes.database)
    report = notes.judge()
    assert (report.verdict, report.abstention) == ("passed", ()), report.reasons
    fitted = notes.read(candidate)
    assert fitted.keys() == set(KINDS)
    assert fitted[HYBRID].fitted.calibration is not None, fitted[HYBRID].fitted.reason
    # Nothing is compared, so the live generation keeps its calibration.
    assert notes.read() == before
    # Without a calibration of the live generation, a promotion takes no confidence away.
    notes.forget()
    notes.judge()
    assert notes.read(candidate) == {}


def test_reproduction_of_a_report_writes_nothing(notes: Notes) -> None:
    candidate = plant_candidate(notes.database)
    report_id = store_report(notes.database, notes.judge(), "ada")
    stored = read_report(notes.database, report_id)

    def reproduce() -> GateReproduction:
        tables = count_rows(notes.database)
        again = reproduce_report(notes.database, notes.configuration, stored, models=notes.models)
        assert count_rows(notes.database) == tables
        return again

    before = notes.read(1), notes.read(candidate)
    assert (reproduce().outcome, notes.read(1), notes.read(candidate)) == ("agrees", *before)
    # Without calibrations, the figures agree, and no calibration is fitted.
    notes.forget()
    assert (reproduce().outcome, notes.read(1), notes.read(candidate)) == ("agrees", {}, {})


def count_rows(database: Database) -> dict[str, int]:
    """The number of rows of each table."""
    with database.connect() as connection:
        names = connection.execute(
            text("select tablename from pg_tables where schemaname = 'ragline'")
        ).scalars()
        return {
            name: connection.exec_driver_sql(f'select count(*) from ragline."{name}"').scalar_one()
            for name in names.all()
        }


def test_candidate_that_answers_everything_with_confidence_is_refused(notes: Notes) -> None:
    notes.plant_calibrations(plant_candidate(notes.database), intercept=60)
    report = notes.judge()
    assert report.verdict == "refused"
    assert find_check(report).outcome == "refused"
    assert report.reasons == (find_check(report).reason,)
    said = "For every query without an answer, the candidate returns a confident hit."
    assert said in report.reasons[0]


def test_candidate_that_no_longer_answers_is_refused(notes: Notes) -> None:
    notes.plant_calibrations(plant_candidate(notes.database), intercept=-60)
    check = find_check(notes.judge())
    assert check.outcome == "refused"
    assert "The share of answers falls by more than the margin 0.05" in check.reason
