"""Lineage events of syncs and builds, as a real collector receives them, and the way to a hit."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from lineage_collector import Collector, collect_events, find_problems, list_kinds
from sqlalchemy import text

from ragline.code_version import read_code_version
from ragline.configuration import Configuration
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision
from ragline.lifecycle.run_context import RunContext
from ragline.lineage.emitter import CLOSE_WAIT_S
from ragline.lineage.facts import make_job_uuid
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

CONFIGURATION = """
collections:
  - name: notes
sources:
  - name: note-files
    collection: notes
    kind: files
    uri: ./notes
"""
RUN = "3b0c5f0e-0000-4000-8000-00000000000a"
JOBS = ("notes.note-files", "notes.search_index")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collect_events() as opened:
        monkeypatch.setenv("OPENLINEAGE_URL", opened.url)
        yield opened
        assert opened.refused == []


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "harbour.md").write_text("The ferry leaves at seven.", "utf-8")
    (folder / "garden.md").write_text("Tomatoes want sun and water.", "utf-8")
    return folder


@pytest.mark.usefixtures("notes")
def test_receipt_of_a_hit_leads_to_the_events_of_its_run(
    collector: Collector,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    configuration = configure(CONFIGURATION)
    run_stages(make_run_context(configuration, RUN))
    assert list_kinds(collector.events) == [
        (job, kind) for job in JOBS for kind in ("START", "COMPLETE")
    ]
    request = SearchRequest("notes", "ferry", mode="keyword")
    (hit,) = Searcher(database, configuration).search(request).hits
    receipt = hit.receipt
    of_run = [
        event
        for event in collector.events
        if event["run"]["facets"]["parent"]["run"]["runId"] == receipt.run_id
    ]
    assert of_run == collector.events
    done = next(
        event
        for event in of_run
        if event["eventType"] == "COMPLETE"
        and event["inputs"][0]["facets"]["ragline_source"]["source"] == hit.source
        and event["job"]["name"] == f"notes.{hit.source}"
    )
    assert done["run"]["runId"] == str(make_job_uuid(RUN, done["job"]["name"]))
    facet = done["run"]["facets"]["ragline"]
    assert (facet["runId"], facet["codeVersion"]) == (RUN, read_code_version())
    assert facet["parserFingerprint"] == receipt.parser
    assert facet["counts"]["listed"] == 2
    (generation,) = facet["generations"]
    assert generation | {"state": "", "table": ""} == {
        "generation": receipt.generation, "state": "", "table": "", "language": "english",
        "spaceFingerprint": receipt.embedding_space, "chunkerFingerprint": receipt.chunker,
        "documents": 2, "chunks": 2,
    }  # fmt: skip


def test_datasets_are_the_source_and_the_table_of_the_generation(
    collector: Collector,
    notes: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    run_stages(make_run_context(configure(CONFIGURATION), RUN))
    done = collector.events[1]
    (source,), (table,) = done["inputs"], done["outputs"]
    assert (source["namespace"], source["name"]) == ("file", str(notes))
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 2
    assert source["facets"]["version"]["datasetVersion"]
    assert source["facets"]["ownership"]["owners"][0]["name"] == "tenant:default"
    assert table["namespace"].startswith("postgres://")
    url = database.engine.url
    generation = done["run"]["facets"]["ragline"]["generations"][0]["generation"]
    assert table["name"] == f"{url.database}.ragline.entries_{generation}"
    columns = {one["name"]: one["type"] for one in table["facets"]["schema"]["fields"]}
    assert (columns["text"], columns["embedding"]) == ("text", "halfvec(384)")
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 2
    published = collector.events[3]
    assert published["outputs"][0]["name"] == table["name"]
    assert published["run"]["facets"]["ragline"]["counts"]["was_promoted"] == 1


def test_source_that_does_not_answer_is_a_failure_with_its_reason(
    collector: Collector,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
):
    with (
        make_run_context(configure(CONFIGURATION), "not-a-uuid") as run_context,
        pytest.raises(SourceUnavailableError),
    ):
        sync_documents(run_context, "note-files")
    assert list_kinds(collector.events) == [(JOBS[0], "START"), (JOBS[0], "FAIL")]
    facets = collector.events[-1]["run"]["facets"]
    assert "SourceUnavailableError" in facets["errorMessage"]["message"]
    assert facets["ragline"]["runId"] == "not-a-uuid"


@pytest.mark.usefixtures("notes")
def test_run_that_ends_early_fails_its_open_jobs(
    collector: Collector,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
):
    with make_run_context(configure(CONFIGURATION), RUN) as run_context:
        sync_documents(run_context, "note-files")
    assert list_kinds(collector.events) == [(JOBS[0], "START"), (JOBS[0], "FAIL")]
    message = collector.events[-1]["run"]["facets"]["errorMessage"]["message"]
    assert "the run ended before all stages" in message


@pytest.mark.usefixtures("notes")
def test_build_of_a_generation_has_events(
    collector: Collector,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    run_stages(make_run_context(configure(CONFIGURATION), RUN))
    collector.events.clear()
    manual = CONFIGURATION.replace("name: notes\n", "name: notes\n    language: german\n", 1)
    manual = manual.replace("    language", "    build: manual\n    language")
    with make_run_context(configure(manual), "build-1") as run_context:
        report = build_generation(run_context, "notes", Decision("ada"))
    assert list_kinds(collector.events) == [(JOBS[0], "START"), (JOBS[0], "COMPLETE")]
    generations = collector.events[-1]["run"]["facets"]["ragline"]["generations"]
    assert (report.generation, 2) in {(one["generation"], one["chunks"]) for one in generations}


@pytest.mark.usefixtures("notes")
def test_events_are_written_to_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    log = tmp_path / "events.jsonl"
    settings = {"transport": {"type": "file", "log_file_path": str(log), "append": True}}
    (tmp_path / "lineage.yml").write_text(json.dumps(settings), "utf-8")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "lineage.yml"))
    run_stages(make_run_context(configure(CONFIGURATION), RUN))
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert len(events) == 4
    assert [problem for event in events for problem in find_problems(event)] == []


@pytest.mark.usefixtures("notes")
def test_dead_endpoint_changes_nothing_and_warns_once(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    run_context = make_run_context(configure(CONFIGURATION), RUN)
    with caplog.at_level(logging.WARNING, "ragline.lineage"):
        run_stages(run_context)
        started = monotonic()
        run_context.close()
        assert monotonic() - started < CLOSE_WAIT_S + 1
    own = [one for one in caplog.records if one.name.startswith("ragline.lineage")]
    assert len(own) == 1
    with database.connect() as connection:
        states = connection.execute(text("select distinct state from ragline.documents")).scalars()
        assert states.all() == ["ready"]


@pytest.mark.usefixtures("notes")
def test_without_a_configuration_no_thread_is_started(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
):
    with make_run_context(configure(CONFIGURATION), RUN) as run_context:
        sync_documents(run_context, "note-files")
        assert run_context.lineage._emitter is None
