"""Why a document is a hit, or is not: each reason on a real index, compared with searches."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ragline.configuration import Configuration
from ragline.errors import AmbiguousDocumentError, UnknownDocumentError
from ragline.lifecycle.run_context import RunContext
from ragline.search.document_explanation import explain_document
from ragline.search.explanation_messages import DocumentExplanation
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

CONFIGURATION = """\
collections:
  - {name: notes, search: {candidates: 10, feedback_weight: 0.5}}
sources:
  - name: notes-files
    collection: notes
    kind: files
    uri: ./notes
  - name: records
    collection: notes
    kind: records
    uri: ./records.jsonl
    fields: {id: _id, text: text, principals: readers}
"""
Explain = Callable[..., DocumentExplanation]


@pytest.fixture
def configuration(configure: Callable[[str], Configuration], tmp_path: Path) -> Configuration:
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(25):
        text = f"# Quay {number}\n\nThe lamp of quay {number} is tested on day {number}.\n"
        (notes / f"quay-{number:02}.md").write_text(text, encoding="utf-8")
    (notes / "bread.md").write_text("# Bread\n\nThe baker sells rye bread.\n", encoding="utf-8")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (notes / "empty.md").write_text("", encoding="utf-8")
    records = [
        {"_id": "secret", "text": "The lamp of the captain.", "readers": ["captain"], "year": 2020},
        {"_id": "bread.md", "text": "Another bread.", "readers": None, "year": 2024},
    ]
    lines = [json.dumps(record) for record in records]
    (tmp_path / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return configure(CONFIGURATION)


@pytest.fixture
def searcher(
    configuration: Configuration,
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], dict[str, Any]],
    database: Database,
) -> Searcher:
    run_stages(make_run_context(configuration))
    return Searcher(database, configuration)


@pytest.fixture
def explain(searcher: Searcher) -> Explain:
    def ask(document_id: str, query: str = "lamp of quay 7", **options: Any) -> DocumentExplanation:
        source = options.pop("source", None)
        reveals_hidden = options.pop("reveals_hidden", False)
        request = SearchRequest("notes", query, **options)
        return explain_document(
            searcher, request, document_id, source, reveals_hidden=reveals_hidden
        )

    return ask


@pytest.fixture
def explain_partly(tmp_path: Path, request: pytest.FixtureRequest) -> Explain:
    """`explain` in mode keyword, for a collection with a document of identifiers."""
    request.getfixturevalue("configuration")
    (tmp_path / "notes" / "partly.md").write_text(f"# Note\n\n{PARTLY}\n", encoding="utf-8")
    explain: Explain = request.getfixturevalue("explain")
    return partial(explain, mode="keyword")


def test_hit_is_explained_with_the_ranks_of_the_search(searcher: Searcher, explain: Explain):
    for options in ({}, {"rerank": True}, {"mode": "keyword"}, {"mode": "vector"}):
        request = SearchRequest("notes", "lamp of quay 7", explain=True, **options)
        hits = searcher.search(request).hits
        for hit in hits:
            found = explain(hit.document_id, source=hit.source, **options)
            assert (found.is_hit, found.reason, found.rank) == (True, "hit", hit.rank)
            stages = {stage.stage: stage for stage in found.stages}
            told = hit.explanation
            assert stages["fusion"].rank == told.fused_rank
            assert stages["fusion"].score == pytest.approx(told.fused_score)
            assert stages["answer"].score == pytest.approx(hit.score)
            for leg in ("vector", "keyword"):
                if getattr(told, f"{leg}_rank") is not None:
                    assert stages[leg].rank == getattr(told, f"{leg}_rank")
                    assert stages[leg].score == pytest.approx(getattr(told, f"{leg}_score"))
            if options.get("rerank"):
                assert stages["reranking"].score == pytest.approx(told.rerank_score)


def test_rank_behind_the_candidates_is_exact(searcher: Searcher, explain: Explain):
    found = explain("bread.md", source="notes-files", top_k=3, mode="vector")
    assert (found.is_hit, found.reason) == (False, "not_a_candidate")
    everything = SearchRequest("notes", "lamp of quay 7", 100, "vector")
    order = [(hit.source, hit.document_id) for hit in searcher.search(everything).hits]
    rank = order.index(("notes-files", "bread.md")) + 1
    stages = {stage.stage: stage for stage in found.stages}
    assert stages["fusion"].rank == rank
    assert rank > 10
    assert f"top_k of {rank} or more" in found.answer
    assert set(found.missing_words) == {"lamp", "quay", "7"}

    shown = explain("bread.md", source="notes-files", top_k=rank, mode="vector")
    assert shown.is_hit


def test_rank_behind_top_k_names_the_top_k_that_would_show_it(explain: Explain):
    ranks = {name: explain(f"quay-{name}.md", top_k=2).stages[-1].rank for name in ("07", "03")}
    assert ranks["07"] == 1
    found = explain("quay-03.md", top_k=2)
    assert found.reason in ("top_k", "not_a_candidate")
    rank = next(int(word) for word in found.answer.split() if word.isdigit() and int(word) > 2)
    assert explain("quay-03.md", top_k=rank).is_hit


def test_document_without_entries_is_explained_by_its_state(explain: Explain):
    broken = explain("broken.pdf")
    assert (broken.reason, broken.document.state) == ("not_indexed", "failed")
    assert broken.document.error is not None
    assert broken.document.error in broken.answer
    assert "ragline retry notes-files broken.pdf" in broken.answer
    assert broken.best_chunk is None
    assert explain("empty.md").reason in ("no_text", "not_indexed")


def test_excluding_condition_is_named(explain: Explain):
    wanted = {"source": "notes-files", "metadata.year": {"gte": 2000}, "not": {"heading": "x"}}
    found = explain("quay-07.md", filter=wanted)
    assert (found.is_hit, found.reason) == (False, "filter")
    assert [obstacle.place for obstacle in found.obstacles] == ["filter.metadata.year.gte"]
    assert "filter.metadata.year.gte" in found.answer
    stages = {stage.stage: stage for stage in found.stages}
    assert stages["fusion"].rank == 1

    nested = {"and": [{"document_id": "quay-07.md"}, {"source": "records"}]}
    found = explain("quay-07.md", filter=nested)
    assert [obstacle.place for obstacle in found.obstacles] == ["filter.and.1.source"]
    assert explain("quay-07.md", filter={"source": "notes-files"}).is_hit


def test_excluding_age_and_generation_are_named(explain: Explain):
    assert explain("quay-07.md", max_age=timedelta(microseconds=1)).reason == "max_age"
    assert explain("quay-07.md", max_age=timedelta(days=1)).is_hit
    found = explain("quay-07.md", min_generation=99)
    assert (found.is_hit, found.reason) == (False, "min_generation")


def test_hidden_document_is_unknown_unless_it_may_be_revealed(explain: Explain):
    with pytest.raises(UnknownDocumentError) as hidden:
        explain("secret")
    with pytest.raises(UnknownDocumentError) as unknown:
        explain("unknown-id")
    assert str(hidden.value).replace("secret", "x") == str(unknown.value).replace("unknown-id", "x")
    assert explain("secret", "captain", principals=("captain",)).is_hit

    told = explain("secret", reveals_hidden=True)
    assert (told.is_hit, told.reason) == (False, "principals")
    assert told.best_chunk is not None


def test_document_of_several_sources_needs_its_source(explain: Explain):
    with pytest.raises(AmbiguousDocumentError, match="notes-files, records"):
        explain("bread.md")
    assert explain("bread.md", "rye", source="notes-files").source == "notes-files"


def test_missing_words_are_those_of_the_query(explain: Explain):
    found = explain("bread.md", "the rye lamp", source="notes-files", mode="keyword")
    assert found.missing_words == ("lamp",)
    assert [word.word for word in found.words] == ["rye", "lamp"]
    none = explain("bread.md", "lamp", source="notes-files", mode="keyword")
    assert (none.is_hit, none.reason) == (False, "no_word")


PARTLY = (
    "Part P-200 and zebrafish7 need Python 3.11; fault ERR-4021, fault err 4022, Herr Müller, "
    "O'Brien's café, HttpRequestHandler, /etc/lamp/lamp.conf, 東京都, "
    "see https://wiki.quay.example/start."
)

EQUAL = (
    "zebrafish7 zebrafish P-200 p200 3.11 ERR-4021 ERR4021 err_4021 4021 ERR-4022 err4022 "
    "Mueller Muller O\u2019Brien obrien cafe httprequesthandler http-request-handler Http "
    "/etc/lamp/lamp.conf lamp.conf lamp wiki.quay.example wiki 東京 faults lamps' "
    "https://wiki.quay.example/start"
)


def test_part_of_a_word_is_reported_as_a_part(explain_partly: Explain):
    expected = {
        "zebrafish6": ("zebrafish",),
        "zebrafish77777": ("zebrafish",),
        "P-900": ("P",),
        "X-200": ("200",),
        "3.11.7": ("3.11",),
        "https://wiki.quay.example/display/OPS": ("https", "wiki.quay.example"),
        "HttpResponse": ("Http",),
        "/etc/lamp/pump.conf": ("etc", "lamp", "conf"),
        "東京大学": ("東京",),
        "lamp7.txt": ("lamp",),
    }
    for word, parts in expected.items():
        found = explain_partly("partly.md", word)
        [one] = found.words
        assert (one.word, one.is_in_document, one.is_in_chunk) == (word, False, False)
        assert (one.entry_count, one.parts) == (0, parts)
        assert found.missing_words == (word,)
        assert f"It has only parts of: {word} ({', '.join(parts)})." in found.answer


def test_word_in_an_equal_form_is_found(explain_partly: Explain):
    for word in EQUAL.split():
        [found] = explain_partly("partly.md", word).words
        assert (found.is_in_document, found.is_in_chunk, found.parts) == (True, True, ()), word
        assert found.entry_count > 0, word


def test_best_of_several_queries_counts(explain: Explain):
    found = explain("bread.md", source="notes-files", alternatives=("rye bread",), top_k=1)
    assert found.is_hit or found.stages[-1].rank is not None
    assert found.missing_words == ("lamp", "quay", "7")


def test_chunk_left_out_by_max_per_document_is_counted(explain: Explain, searcher: Searcher):
    request = SearchRequest("notes", "lamp of quay 7", max_per_document=1)
    hits = searcher.search(request).hits
    found = explain(hits[0].document_id, source=hits[0].source, max_per_document=1)
    assert (found.is_hit, found.left_out_chunks) == (True, 0)
    assert replace(request, max_per_document=None).top_k == found.top_k
