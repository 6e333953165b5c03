"""A new version of the text analysis builds a new generation while the old one stays live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragline.configuration import Configuration
from ragline.lifecycle import generation_keys, generations, open_generations
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.run_context import RunContext
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database
from ragline.text_analysis import RAW, VERSION

CONFIGURATION = """\
collections: [{name: docs, build: automatic}]
sources:
  - {name: docs, collection: docs, kind: files, uri: ./docs}
"""
TEXTS = {
    "err.md": "When the winch stops with ERR-4021 the fuse is blown.",
    "cafe.md": "The café at the quay was renovated.",
    "gone.md": "The lamp of the quay is tested on Mondays.",
}
# The statement of releases without text analysis.
OLDER_INSERT = """
insert into ragline.generations (
  collection_id, embedding_space_id, chunker_fingerprint, chunking, language, state
)
values (1, 1, '{chunker}', '{{}}', 'english', 'building')
on conflict (collection_id, embedding_space_id, chunker_fingerprint, language)
  where state <> 'dropped' do nothing
returning id
"""
Stages = Callable[[RunContext], dict[str, Any]]


class Upgraded:
    """A collection that an older release indexed and this release syncs."""

    def __init__(self, database: Database, configuration: Configuration, folder: Path) -> None:
        self.database = database
        self.configuration = configuration
        self.folder = folder
        self.searcher = Searcher(database, configuration)

    def find(self, query: str) -> list[str]:
        hits = self.searcher.search(SearchRequest("docs", query, 3, "keyword")).hits
        return [hit.document_id for hit in hits]

    def read(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def write(self, statement: str) -> list[Any]:
        with self.database.begin() as connection:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

    def list_generations(self) -> list[Any]:
        return self.read("select state, analysis_version from ragline.generations order by id")


@pytest.fixture
def upgraded(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Stages,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Upgraded:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    configuration = configure(CONFIGURATION)
    with monkeypatch.context() as older:
        older.setattr(generations, "VERSION", RAW)
        older.setattr(generation_keys, "VERSION", RAW)
        older.setattr(open_generations, "VERSION", RAW)
        run_stages(make_run_context(configuration, "older"))
    made = Upgraded(database, configuration, folder)
    assert made.list_generations() == [("live", RAW)]
    assert made.find("4021") == []
    return made


def test_upgrade_serves_without_interruption_and_embeds_nothing_again(
    upgraded: Upgraded, make_run_context: Callable[..., RunContext], run_stages: Stages
):
    (upgraded.folder / "gone.md").unlink()
    run_context = make_run_context(upgraded.configuration, "newer")
    sync_documents(run_context, "docs")
    build_chunks(run_context, "docs")
    embedded = embed_chunks(run_context, "docs")
    apply_entries(run_context, "docs")
    # Both exist; the older one is live and uses its own version of the analysis.
    assert upgraded.list_generations() == [("live", RAW), ("building", VERSION)]
    assert embedded.embeddings_made == 0
    assert upgraded.find("4021") == []
    assert upgraded.find("-4021") == ["err.md"]
    assert upgraded.find("cafe") == []
    assert upgraded.find("café") == ["cafe.md"]
    assert upgraded.find("lamp") == []

    run_context.close()
    reports = run_stages(make_run_context(upgraded.configuration, "newest"))
    assert reports["docs"].was_promoted
    assert upgraded.list_generations() == [("retired", RAW), ("live", VERSION)]
    for query in ("4021", "ERR4021", "-4021", "ERR-4021"):
        assert upgraded.find(query) == ["err.md"]
    for query in ("cafe", "café"):
        assert upgraded.find(query) == ["cafe.md"]
    assert upgraded.find("lamp") == []
    embeddings = upgraded.read("select count(*) from ragline.embeddings")[0][0]
    assert embeddings == len(TEXTS)

    again = run_stages(make_run_context(upgraded.configuration, "last"))
    assert not again["docs"].was_promoted
    assert again["docs/apply_entries"].inserted == 0


def test_queries_of_an_older_release_find_its_words_in_the_new_generation(
    upgraded: Upgraded, make_run_context: Callable[..., RunContext], run_stages: Stages
):
    run_stages(make_run_context(upgraded.configuration))
    generation = upgraded.searcher.live_generation("docs")
    # The lexemes that Postgres makes of raw text, which older releases read and write.
    raw = upgraded.read(
        "select bool_and(tsvector_to_array(e.tsv) @> "
        "tsvector_to_array(to_tsvector('english', e.header || e.text))) "
        f"from ragline.entries_{generation.id} as e"
    )
    assert raw == [(True,)]


def test_entries_of_an_older_release_are_written_again(
    upgraded: Upgraded, make_run_context: Callable[..., RunContext], run_stages: Stages
):
    run_stages(make_run_context(upgraded.configuration))
    generation = upgraded.searcher.live_generation("docs").id
    upgraded.write(
        f"update ragline.entries_{generation} set tsv = to_tsvector('english', header || text)"
    )
    upgraded.write("update ragline.placements set analysis_version = null")
    assert upgraded.find("4021") == []
    reports = run_stages(make_run_context(upgraded.configuration, "next"))
    assert reports["docs/apply_entries"].inserted == len(TEXTS)
    assert upgraded.find("4021") == ["err.md"]
    assert run_stages(make_run_context(upgraded.configuration))["docs/apply_entries"].inserted == 0


def test_older_release_shares_the_target_and_may_open_others(
    upgraded: Upgraded, make_run_context: Callable[..., RunContext], run_stages: Stages
):
    run_stages(make_run_context(upgraded.configuration))
    find = "select chunker_fingerprint from ragline.generations where state = 'live'"
    chunker = upgraded.read(find)[0][0]
    assert upgraded.write(OLDER_INSERT.format(chunker=chunker)) == []
    assert len(upgraded.write(OLDER_INSERT.format(chunker="another"))) == 1
    by_language = "select language, analysis_version from ragline.generations order by id limit 2"
    assert upgraded.read(by_language) == [("english ", RAW), ("english", VERSION)]
    assert upgraded.searcher.live_generation("docs").language == "english"
