"""Planted regressions: the gate refuses each for the right reason. Harmless changes pass.

Each candidate is built by Ragline from a real fault: files of a model, a chunker, the configuration
or rows of the database. The collection is synced once, and each test gets a copy of its database.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from database_copies import DatabaseServer, SharedDatabase
from handbook_candidates import HANDBOOK, Handbook, copy_model
from planted_candidates import SOURCES, outcomes, reason, share_collection
from sqlalchemy import text

from ragline.chunking import Chunk, chunk_document
from ragline.chunking import chunks as chunker
from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.errors import IncompleteGenerationError
from ragline.gate.markdown import write_markdown
from ragline.gate.report import GateReport
from ragline.lifecycle import chunks as chunk_stage
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database

# The machine may be doing other things.
pytestmark = pytest.mark.timeout(900)
# A chunk has two facts of a document, and an overlap of 15 tokens has one.
CONFIGURATION = HANDBOOK.replace(
    "max_tokens: 20, overlap_tokens: 5", "max_tokens: 30, overlap_tokens: 10"
)
REPOSITORY = Path(__file__).parents[2]
RunStages = Callable[[RunContext], object]


@pytest.fixture(scope="module")
def synced(
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    run_stages: RunStages,
) -> SharedDatabase:
    """The collection, synced once for all tests."""
    return share_collection(
        database_server, "handbook_of_pairs", template, CONFIGURATION, embedder, run_stages
    )


@pytest.fixture
def database_url(synced: SharedDatabase, database_server: DatabaseServer) -> Iterator[str]:
    """A copy of the synced database."""
    with database_server.copy(synced.name) as url:
        yield url


@pytest.fixture
def handbook(
    tmp_path: Path,
    synced: SharedDatabase,
    database: Database,
    configure: Callable[[str], Configuration],
    embedder: Embedder,
) -> Handbook:
    shutil.copytree(synced.folder, tmp_path, dirs_exist_ok=True)
    configuration = configure(CONFIGURATION)
    return Handbook(tmp_path, database, configuration, configure, {DEFAULT_MODEL: embedder})


@pytest.fixture
def change_chunker(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs another version of the chunker. It numbers the chunks and keeps some of them."""

    def change(keep: Callable[[int], bool] = lambda _: True) -> None:
        numbers = itertools.count(1)

        def chunk(*arguments: object) -> list[Chunk]:
            return [one for one in chunk_document(*arguments) if keep(next(numbers))]

        monkeypatch.setattr(chunker, "CHUNKER_VERSION", 99)
        monkeypatch.setattr(chunk_stage, "chunk_document", chunk)

    return change


def edit_source(handbook: Handbook, source: str, old: str, new: str) -> None:
    """Replace a text in all documents of a source."""
    path = handbook.folder / f"{source}.jsonl"
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def refused(report: GateReport) -> set[str]:
    """The checks that refuse the candidate. The report has the reason of each of them."""
    assert report.verdict == "refused"
    found = {check.name for check in report.checks if check.outcome == "refused"}
    assert {reason(report, name) for name in found} <= set(report.reasons)
    return found


def test_shuffled_weights_of_the_model_are_refused_for_their_scores(handbook: Handbook) -> None:
    handbook.use_model(copy_model(handbook.folder / "shuffled", is_shuffled=True))
    built = handbook.build()
    report = handbook.judge()
    assert {"ndcg@10", "recall@10", "mrr@10"} <= refused(report)
    assert report.candidate.id == built.generation
    assert report.candidate.model.endswith("/shuffled")
    # The vectors are those of the model, so the index itself has no fault.
    assert outcomes(report)["sync_proof"] == outcomes(report)["index_recall"] == "passed"
    assert "nDCG@10 falls by" in reason(report, "ndcg@10")
    assert "chance does not explain it" in reason(report, "ndcg@10")
    assert len(report.fallen) > 10


def test_chunker_that_drops_every_third_chunk_is_refused_for_its_scores(
    handbook: Handbook, change_chunker: Callable[..., None]
) -> None:
    change_chunker(keep=lambda number: number % 3 > 0)
    built = handbook.build()
    report = handbook.judge()
    assert built.embeddings_made == 0
    assert report.live is not None
    assert report.candidate.entries < report.live.entries
    assert outcomes(report)["sync_proof"] == "passed"
    assert "ndcg@10" in refused(report)
    # The report begins with its reasons.
    head, _, _ = write_markdown(report).partition("## Checks")
    assert head.startswith("# Gate of handbook: refused\n")
    assert "nDCG@10 falls by" in head


def test_missing_source_is_refused_although_the_average_is_within_the_margin(
    handbook: Handbook, change_chunker: Callable[..., None]
) -> None:
    change_chunker()
    source = "  - {name: hills, collection: handbook, kind: records, uri: ./hills.jsonl, "
    handbook.use(f"{source}fields: {{id: _id, text: text}}}}\n", "")
    handbook.use("build: manual\n", "build: manual\n    gate: {ndcg_margin: 0.5, "
                  "recall_margin: 0.5, mrr_margin: 0.5}\n")  # fmt: skip
    with pytest.raises(IncompleteGenerationError, match="5 readable documents are not in it yet"):
        handbook.build()
    report = handbook.judge(2)
    assert refused(report) == {"sync_proof", "slices"}
    assert "it lacks 5 readable documents of the source hills" in reason(report, "sync_proof")
    assert "In the slice source = hills, nDCG@10 falls by" in reason(report, "slices")
    assert "source = coast" not in reason(report, "slices")
    assert outcomes(report)["ndcg@10"] == "passed"


def test_low_ef_search_is_refused_for_its_index_recall(
    handbook: Handbook, database_server: DatabaseServer, database_url: str
) -> None:
    # A chunk for each fact, and a graph in which a vector has few neighbours.
    handbook.use("max_tokens: 30, overlap_tokens: 10", "max_tokens: 20, overlap_tokens: 5")
    handbook.use("build: manual\n", "build: manual\n    hnsw_from_entries: 10\n"
                 "    vector_index: {m: 2, ef_construction: 4, ef_search: 1}\n"
                 "    search: {candidates: 10}\n")  # fmt: skip
    handbook.build()
    database_server.use_index_of_small_table(database_url)
    handbook.database.engine.dispose()
    report = handbook.judge()
    assert report.candidate.has_vector_index
    assert report.index_recall is not None
    assert report.index_recall < 0.9
    assert "index_recall" in refused(report)
    assert "of the ten nearest entries; at least 90.0% are required" in reason(
        report, "index_recall"
    )


def test_embeddings_of_stale_text_are_refused_by_the_sync_proof(
    handbook: Handbook,
    change_chunker: Callable[..., None],
    run_stages: RunStages,
) -> None:
    stale = handbook.read_vectors(1)
    edit_source(handbook, "hills", "again", "a second time")
    with handbook.open_run() as run_context:
        run_stages(run_context)
    change_chunker()
    candidate = handbook.build().generation
    with handbook.database.begin() as connection:
        connection.execute(
            text(
                f"update ragline.entries_{candidate} set embedding = cast(:vector as halfvec) "
                "where document_id = :document_id and ordinal = :ordinal and source = 'hills'"
            ),
            [
                {"document_id": document_id, "ordinal": ordinal, "vector": vector}
                for document_id, ordinal, vector in stale
            ],
        )
    report = handbook.judge()
    assert "sync_proof" in refused(report)
    assert "entries without embedding in 5 documents of the source hills" in (report.reasons[0])


def test_golden_set_whose_documents_are_gone_is_refused(
    handbook: Handbook, change_chunker: Callable[..., None], run_stages: RunStages
) -> None:
    handbook.use("{id: _id, text: text}}", "{id: _id, text: text}, max_removal_ratio: 1}")
    for source in SOURCES:
        edit_source(handbook, source, '"_id": "', '"_id": "moved-')
    with handbook.open_run() as run_context:
        run_stages(run_context)
    change_chunker()
    handbook.build()
    report = handbook.judge()
    assert refused(report) == {"golden_set"}
    assert "lacks 16 of the 16 documents that the golden set judges" in report.reasons[0]


def test_same_model_in_another_backend_passes(handbook: Handbook) -> None:
    model = copy_model(handbook.folder / "same", is_shuffled=False)
    handbook.use_model(model)
    handbook.build()
    # Both generations are searched with the same backend, so their latencies are comparable.
    handbook.embedders[str(model)] = handbook.embedders[DEFAULT_MODEL]
    report = handbook.judge()
    assert (report.verdict, report.reasons) == ("passed", ())
    assert report.live is not None
    assert report.candidate.space_fingerprint != report.live.space_fingerprint
    # Vectors of the other backend differ in their last digits.
    assert handbook.read_vectors(1) != handbook.read_vectors(2)


def test_new_source_passes(
    handbook: Handbook, change_chunker: Callable[..., None], run_stages: RunStages
) -> None:
    shutil.copy(REPOSITORY / "examples" / "glossary.jsonl", handbook.folder / "later.jsonl")
    handbook.use(
        "sources:\n",
        "sources:\n  - {name: later, collection: handbook, kind: records, uri: ./later.jsonl, "
        "fields: {id: _id, text: text}}\n",
    )
    with handbook.open_run() as run_context:
        run_stages(run_context)
    change_chunker()
    candidate = handbook.build().generation
    report = handbook.judge(candidate)
    assert (report.verdict, report.reasons) == ("passed", ())
    assert report.candidate.documents > 16


def test_overlap_changed_by_five_tokens_passes(handbook: Handbook) -> None:
    handbook.use("overlap_tokens: 10", "overlap_tokens: 15")
    handbook.use("build: manual\n", "build: manual\n    gate: {detectable_fall: 0.2}\n")
    assert handbook.build().embeddings_made > 0
    report = handbook.judge()
    assert (report.verdict, report.reasons) == ("passed", ())
    assert report.live is not None
    assert report.candidate.chunker_fingerprint != report.live.chunker_fingerprint
