"""Stored token codes: made with vectors, reused, deleted with them, and made for older vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.configuration import Configuration, RetentionSettings
from ragline.embedder import Embedder
from ragline.embedder.token_codes import TokenRotation
from ragline.lifecycle import token_codes
from ragline.lifecycle.build_plan import plan_build
from ragline.lifecycle.retention import delete_expired
from ragline.lifecycle.run_context import RunContext
from ragline.search.document_explanation import explain_document
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement

COUNTS = (
    "select (select count(*) from ragline.embeddings) as vectors,"
    " (select count(*) from ragline.token_codes) as codes"
)
NOTHING_KEPT = RetentionSettings(
    removed_documents=timedelta(0), parses=timedelta(0), embeddings=timedelta(0)
)


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    for number in range(12):
        tree.write(f"notes/{number:02}.md", f"Note number {number} tells of a zebra{number}.")
    return tree


@pytest.fixture
def run_context(database: Database, tmp_path: Path, tree: TreeSource) -> TreeRunContext:
    return make_run_context(database, tmp_path, tree, HashEmbedder())


def count_rows(database: Database) -> tuple[int, int]:
    with database.connect() as connection:
        row = connection.execute(text(COUNTS)).one()
        return row.vectors, row.codes


def forget_codes(database: Database) -> None:
    """Bring the database to the state that a release without token codes leaves."""
    with database.begin() as connection:
        connection.execute(text("delete from ragline.token_codes"))
        connection.execute(
            text("update ragline.embedding_spaces set token_rotation = null, coded_at = null")
        )


def test_each_new_vector_gets_codes_and_loses_them_with_its_document(
    run_context: TreeRunContext, tree: TreeSource
) -> None:
    tree.write("notes/again.md", "Note number 3 tells of a zebra3.")
    sync(run_context)
    assert count_rows(run_context.database) == (12, 12)
    del tree.documents["notes/00.md"]
    sync(run_context)
    delete_expired(run_context.database, NOTHING_KEPT)
    assert count_rows(run_context.database) == (11, 11)


def test_older_vectors_get_codes_in_steps_and_the_plan_counts_them(
    run_context: TreeRunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(run_context)
    before = read_codes(run_context.database)
    forget_codes(run_context.database)
    assert plan_build(run_context, "tree").uncoded_texts == 12
    monkeypatch.setattr(token_codes, "BACKFILL_S", 0.0)
    monkeypatch.setattr(token_codes, "BACKFILL_TEXTS", 5)
    counts = []
    for _ in range(4):
        sync(run_context)
        counts.append(count_rows(run_context.database)[1])
    assert counts == [5, 10, 12, 12]
    assert plan_build(run_context, "tree").uncoded_texts == 0
    assert read_codes(run_context.database) == before


def read_codes(database: Database) -> Mapping[bytes, bytes]:
    with database.connect() as connection:
        rows = connection.execute(text("select text_hash, codes from ragline.token_codes"))
        return {row.text_hash: row.codes for row in rows}


def test_a_sync_without_missing_codes_loads_no_model(run_context: TreeRunContext) -> None:
    sync(run_context)
    sync(run_context)
    run_context.models = {}
    assert token_codes.code_older_texts(run_context, _live(run_context)) == 0


def _live(run_context: TreeRunContext) -> Any:
    from ragline.lifecycle.generations import list_generations

    with run_context.database.connect() as connection:
        return list_generations(connection, "tree")[0]


def test_vectors_of_an_older_release_are_noticed_by_the_retention(
    run_context: TreeRunContext,
) -> None:
    sync(run_context)
    sync(run_context)
    with run_context.database.begin() as connection:
        connection.execute(text("delete from ragline.token_codes where codes is not null"))
    sync(run_context)
    assert count_rows(run_context.database) == (12, 0)
    delete_expired(run_context.database, RetentionSettings())
    sync(run_context)
    assert count_rows(run_context.database) == (12, 12)


CONFIGURATION = """\
collections:
  - name: notes
    search: {search}
sources:
  - {{name: files, collection: notes, kind: files, uri: ./notes}}
"""
TEXTS = (
    "The lamp of the quay is tested every morning before the boats leave.",
    "Rye bread is sold by the baker at the corner of the market.",
    "A boundary layer separates from the plate when the pressure rises.",
    "Parental leave is requested with a form of the personnel office.",
    "Boats may leave the harbour only after the lamp was tested.",
    "The market opens at six and closes when the baker has sold his bread.",
)
OFF = "{}"
ALL_STAGES = (
    "{feedback_weight: 0.3, keyword_feedback_weight: 0.3, rerank: true,"
    " rerank_before_feedback: true, rerank_candidates: 4}"
)


@pytest.fixture
def index(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
    tmp_path: Path,
) -> Callable[[str], Configuration]:
    """Indexes the texts with the real model, and configures the searches of the collection."""

    def make(search: str) -> Configuration:
        (tmp_path / "notes").mkdir()
        for number, content in enumerate(TEXTS):
            (tmp_path / "notes" / f"{number}.md").write_text(content, encoding="utf-8")
        configuration = configure(CONFIGURATION.format(search=search))
        run_stages(make_run_context(configuration))
        return configuration

    return make


def list_scores(answer: SearchAnswer) -> list[tuple[str, float | None]]:
    return [
        (hit.document_id, hit.explanation.rerank_score if hit.explanation else None)
        for hit in answer.hits
    ]


def test_a_search_scores_stored_and_missing_codes_equally(
    index: Callable[[str], Configuration], database: Database
) -> None:
    configuration = index(OFF)
    searcher = Searcher(database, configuration)
    request = SearchRequest("notes", "when may boats leave", rerank=True, explain=True)
    stored = list_scores(searcher.search(request))
    assert [score for _, score in stored if score is None] == []
    with database.begin() as connection:
        connection.execute(
            text(
                "delete from ragline.token_codes where text_hash in"
                " (select text_hash from ragline.token_codes order by text_hash limit 3)"
            )
        )
    some = list_scores(Searcher(database, configuration).search(request))
    assert [name for name, _ in some] == [name for name, _ in stored]
    assert [score for _, score in some] == pytest.approx([score for _, score in stored], abs=1e-5)
    forget_codes(database)
    exact = list_scores(Searcher(database, configuration).search(request))
    by_floats = dict(exact)
    assert exact[0][0] == stored[0][0]
    for name, score in stored:
        assert score == pytest.approx(by_floats[name], abs=0.2)


def test_stored_codes_are_those_of_the_token_vectors(
    index: Callable[[str], Configuration], database: Database, embedder: Embedder
) -> None:
    index(OFF)
    with database.connect() as connection:
        row = connection.execute(text("select * from ragline.embedding_spaces")).one()
        rotation = TokenRotation.read(row.token_rotation)
        statement = load_generation_statement("search/select_token_codes", 1)
        rows = connection.execute(
            statement,
            {"space_fingerprint": row.fingerprint, "ids": [1, 2, 3, 4]},
        ).all()
        texts = dict(
            connection.execute(text("select id, header || text from ragline.entries_1")).all()
        )
    assert len(rows) == 4
    for found in rows:
        (tokens,) = embedder.embed_tokens([texts[found.id]])
        assert found.codes == rotation.encode(tokens)
        assert len(found.codes) == 16 * len(tokens)


def test_all_stages_together_answer_and_are_explained(
    index: Callable[[str], Configuration], database: Database
) -> None:
    searcher = Searcher(database, index(ALL_STAGES))
    request = SearchRequest("notes", "when may boats leave", explain=True)
    answer = searcher.search(request)
    assert answer.is_reranked
    assert answer.hits[0].document_id in {"0.md", "4.md"}
    assert answer.took_ms.rerank > 0
    plain = searcher.search(SearchRequest("notes", "when may boats leave", rerank=False))
    assert not plain.is_reranked
    explanation = explain_document(searcher, request, "4.md")
    stages = {stage.stage: stage for stage in explanation.stages}
    assert list(stages) == [
        "vector", "keyword", "first_fusion", "first_reranking", "fusion", "reranking", "answer",
    ]  # fmt: skip
    assert stages["first_reranking"].rank is not None
    hit = next(hit for hit in answer.hits if hit.document_id == "4.md")
    assert explanation.rank == hit.rank
    assert stages["keyword"].score == pytest.approx(hit.explanation.keyword_score)


def test_feedback_adds_the_heaviest_terms_of_the_first_hits(
    index: Callable[[str], Configuration], database: Database
) -> None:
    configuration = index("{keyword_feedback_weight: 0.5, vector_weight: 0.0, rerank: false}")
    searcher = Searcher(database, configuration)
    request = SearchRequest("notes", "harbour", mode="keyword", explain=True)
    found = [hit.document_id for hit in searcher.search(request).hits]
    # Only one text has the word; its other words find the text about the lamp of the quay.
    assert found[:2] == ["4.md", "0.md"]
    plain = configuration.replace_collection(
        configuration.collections[0].model_copy(
            update={"search": configuration.collections[0].search.without_feedback()}
        )
    )
    live = searcher.live_generation("notes").id
    alone = Searcher(database, plain).search(request, generation_id=live)
    assert [hit.document_id for hit in alone.hits] == ["4.md"]


def test_a_tenant_reads_only_codes_of_its_own_texts(
    index: Callable[[str], Configuration], database: Database
) -> None:
    index(OFF)
    count = text("select count(*) from ragline.token_codes")
    with database.for_tenant("default").connect() as connection:
        assert connection.execute(count).scalar_one() == len(TEXTS)
    with database.for_tenant("other").connect() as connection:
        assert connection.execute(count).scalar_one() == 0
