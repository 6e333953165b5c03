"""A wrong setting, a missing model or a failed build must not block changes and removals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import event, text

from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.embedder.space import EmbeddingSpace
from ragline.errors import ConfigurationError
from ragline.lifecycle import chunks
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.generation_states import GENERATION_TRANSITIONS, list_generation_pairs
from ragline.lifecycle.requested_removals import remove_source
from ragline.lifecycle.search_index import MAX_COUNT_AGE, publish_index
from ragline.parsing.parsed_document import ParsedDocument
from ragline.storage.database import Database

REPOSITORY = Path(__file__).parent.parent.parent
LANGUAGE_FAULT = "no text search configuration 'englisch'; did you mean 'english'"

Open = Callable[..., TreeRunContext]


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    tree.write("harbour", "the ferry leaves at seven")
    tree.write("garden", "tomatoes want sun and water")
    return tree


@pytest.fixture
def models() -> dict[str, HashEmbedder]:
    other = EmbeddingSpace("other", "1" * 64, 8, 256)
    return {"hash": HashEmbedder(), "other": HashEmbedder(space=other)}


@pytest.fixture
def open_run_context(
    database: Database, tmp_path: Path, tree: TreeSource, models: dict[str, HashEmbedder]
) -> Open:
    def open_with(**collection: Any) -> TreeRunContext:
        return make_run_context(
            database, tmp_path, tree, HashEmbedder(), collection=collection, models=dict(models)
        )

    return open_with


def query(database: Database, statement: str) -> list[Any]:
    with database.begin() as connection:
        return list(connection.execute(text(statement)).scalars())


def served(database: Database) -> dict[str, str]:
    """What searches see: the text of each document in the live generation."""
    (live,) = query(database, "select id from ragline.generations where state = 'live'")
    with database.connect() as connection:
        rows = connection.execute(
            text(
                "select document_id, string_agg(text, ' ' order by ordinal) "
                f"from ragline.entries_{live} group by document_id"
            )
        )
        return {row[0]: row[1] for row in rows}


def states(database: Database) -> list[str]:
    return query(database, "select state from ragline.generations order by id")


def plant_incomplete(database: Database) -> None:
    """A generation for a language that does not exist, as releases before 0.4 left it."""
    with database.begin() as connection:
        connection.execute(
            text(
                "insert into ragline.generations (collection_id, embedding_space_id, "
                "chunker_fingerprint, chunking, language, state) select collection_id, "
                "embedding_space_id, chunker_fingerprint, chunking, 'englisch', 'building' "
                "from ragline.generations"
            )
        )
        connection.execute(text("create table ragline.entries_2 (like ragline.entries_1)"))


def change(tree: TreeSource) -> dict[str, str]:
    """Delete, change and add a document; return the documents afterwards."""
    tree.documents.pop("harbour", None)
    tree.write("garden", "tomatoes want more sun")
    tree.write("roof", "the roof is red")
    return {name: document.text for name, document in tree.documents.items()}


REFUSED: list[tuple[Mapping[str, Any], str]] = [
    ({"language": "englisch"}, LANGUAGE_FAULT),
    ({"embedding_model": "gone"}, "ModelUnavailableError: model gone: there is no such folder"),
    ({"chunking": {"max_tokens": 1_000}}, "more than the 256 tokens"),
    ({"reranker": "late-interacton"}, "did you mean 'late-interaction'"),
    ({"golden": "/nowhere"}, "/nowhere/queries.jsonl: there is no such file"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED)
def test_wrong_setting_stops_neither_changes_nor_removals(
    database, tree, open_run_context, wrong, said
):
    sync(open_run_context())
    now = change(tree)
    report = sync(open_run_context(**wrong)).index
    assert served(database) == now
    assert (report.is_live, report.was_promoted) == (False, False)
    assert said in str(report.reason)
    assert isinstance(report.error, ConfigurationError)
    assert states(database) == ["live"]
    (kept,) = query(database, "select build_error from ragline.collections")
    assert said in kept
    # With the right setting again, the collection is as before.
    tree.documents.pop("roof")
    report = sync(open_run_context()).index
    assert (report.is_live, report.reason, report.error) == (True, None, None)
    assert served(database) == {"garden": "tomatoes want more sun"}
    assert query(database, "select build_error from ragline.collections") == [None]
    assert set(query(database, "select state from ragline.documents")) == {"ready", "removed"}


@pytest.mark.parametrize(("wrong", "said"), REFUSED)
def test_wrong_setting_of_a_collection_that_is_not_served_writes_nothing(
    database, open_run_context, wrong, said
):
    with pytest.raises(ConfigurationError) as caught:
        sync(open_run_context(**wrong))
    assert said in str(caught.value)
    for table in ("collections", "sources", "documents", "generations"):
        assert query(database, f"select count(*) from ragline.{table}") == [0]
    sync(open_run_context())
    assert set(served(database)) == {"harbour", "garden"}


def move(run_context: TreeRunContext, collection: str, **kept: Any) -> TreeRunContext:
    """The source's settings with another collection; `kept` is stated of the one it is in."""
    before = run_context.configuration
    (source,) = before.sources
    moved = source.model_copy(update={"collection": collection})
    stated = [CollectionSettings(name=collection, embedding_model="hash", language="english")]
    stated += [one.model_copy(update=kept) for one in before.collections if kept]
    changes = {"sources": (moved,), "collections": tuple(stated)}
    run_context.configuration = before.model_copy(update=changes)
    run_context.run_id = f"moved {uuid4()}"
    return run_context


@pytest.mark.parametrize("kept", [{}, {"hnsw_from_entries": 7}], ids=["unnamed", "named"])
def test_source_with_another_collection_stays_in_its_own_and_is_refused(
    database, tree, open_run_context, kept
):
    sync(open_run_context(tenant="acme"))
    for text_of_garden in ("tomatoes want more sun", "tomatoes want less water"):
        now = {**change(tree), "garden": text_of_garden}
        tree.write("garden", text_of_garden)
        with pytest.raises(ConfigurationError, match="cannot move to handbok; write `collection: "):
            sync(move(open_run_context(tenant="acme"), "handbok", **kept))
        assert served(database) == now
        assert states(database) == ["live"]
        # The wrong name made nothing, and the tenant keeps its collection.
        assert query(database, "select name || ' ' || tenant from ragline.collections") == [
            f"{query(database, 'select name from ragline.collections')[0]} acme"
        ]
        (error,) = query(
            database, "select error from ragline.source_syncs order by started_at desc limit 1"
        )
        assert "cannot move to handbok" in error
    tree.documents.pop("roof")
    report = sync(open_run_context(tenant="acme"))
    assert (report.index.is_live, report.index.reason) == (True, None)
    assert served(database) == {"garden": "tomatoes want less water"}


def test_source_that_moves_before_its_first_promotion_is_refused(open_run_context):
    run_context = open_run_context()
    sync_documents(run_context, run_context.configuration.sources[0].name)
    run_context.close()
    with pytest.raises(ConfigurationError, match="cannot move to handbok"):
        sync(move(open_run_context(), "handbok"))
    assert sync(open_run_context()).index.is_live


def test_generation_that_an_older_release_left_incomplete_is_dropped(
    database, tree, open_run_context
):
    """That release inserted the generation before it checked the language, and every run failed."""
    sync(open_run_context())
    plant_incomplete(database)
    now = change(tree)
    sync(open_run_context(language="englisch"))
    assert served(database) == now
    sync(open_run_context())
    assert states(database) == ["live", "dropped"]
    assert query(database, "select to_regclass('ragline.entries_2')") == [None]


def test_removal_does_not_wait_for_a_generation_whose_table_is_broken(
    database, tree, open_run_context
):
    sync(open_run_context())
    sync(open_run_context(language="german"))
    with database.begin() as connection:
        connection.execute(text("drop table ragline.entries_1"))
    now = change(tree)
    report = sync(open_run_context(language="german"))
    assert served(database) == now
    assert report.index.error is None
    assert query(database, "select state from ragline.documents where document_id = 'harbour'") == [
        "removed"
    ]


@pytest.mark.parametrize("first", ["german", "englisch"])
def test_source_is_removed_although_a_generation_cannot_delete_entries(
    database, tmp_path, open_run_context, first
):
    """A retired one has a broken table, and one was left incomplete by an older release."""
    sync(open_run_context())
    if first == "german":
        sync(open_run_context(language="german"))
        broken = 1
    else:
        plant_incomplete(database)
        broken = 2
    with database.begin() as connection:
        connection.execute(text(f"alter table ragline.entries_{broken} drop column tsv cascade"))
    receipt = remove_source(database, "tree", tmp_path)
    assert receipt.counts["documents"] == 2
    assert "dropped" in states(database)
    assert query(database, "select count(*) from ragline.placements") == [0]


def test_retired_generation_whose_model_is_gone_fails_nothing(
    database, tree, open_run_context, models
):
    sync(open_run_context())
    sync(open_run_context(embedding_model="other"))
    del models["hash"]
    now = change(tree)
    report = sync(open_run_context(embedding_model="other")).index
    assert served(database) == now
    assert (report.is_live, report.error) == (True, None)
    assert "harbour" not in query(database, "select document_id from ragline.entries_1")


def test_removal_reaches_the_index_when_the_live_model_is_gone(
    database, tree, open_run_context, models
):
    sync(open_run_context())
    del models["hash"]
    change(tree)
    report = sync(open_run_context()).index
    assert "harbour" not in served(database)
    assert "ModelUnavailableError" in str(report.error)
    models["hash"] = HashEmbedder()
    report = sync(open_run_context()).index
    assert report.error is None
    assert set(served(database)) == {"garden", "roof"}


def test_incomplete_generation_that_nothing_asks_for_is_dropped(
    database, tree, open_run_context, models
):
    sync(open_run_context())
    models["other"].error = OSError("the disk is full")
    report = sync(open_run_context(embedding_model="other")).index
    assert states(database) == ["live", "building"]
    assert "the disk is full" in str(report.reason)
    made = sum(models["other"].embedded.values())
    now = change(tree)
    sync(open_run_context())
    assert states(database) == ["live", "dropped"]
    assert query(database, "select to_regclass('ragline.entries_2')") == [None]
    assert sum(models["other"].embedded.values()) == made
    assert served(database) == now
    assert query(database, "select count(*) from ragline.placements where generation_id = 2") == [0]


def test_build_that_fails_is_tried_again_and_then_promoted(
    database, tree, open_run_context, models
):
    sync(open_run_context())
    models["other"].error = OSError("the disk is full")
    for _ in range(2):
        now = change(tree)
        report = sync(open_run_context(embedding_model="other")).index
        assert served(database) == now
        assert not report.is_live
    since = query(database, "select build_error_since < build_error_at from ragline.collections")
    assert since == [True]
    models["other"].error = None
    report = sync(open_run_context(embedding_model="other")).index
    assert (report.is_live, report.was_promoted, report.error) == (True, True, None)
    assert states(database) == ["retired", "live"]
    assert query(database, "select build_error from ragline.collections") == [None]


def test_run_context_keeps_the_reports_of_publishing_after_it_is_closed(open_run_context):
    run_context = open_run_context()
    report = sync(run_context).index
    assert run_context.index_reports == {"tree": report}


def test_new_generation_without_its_vector_index_is_not_promoted(database, tree, open_run_context):
    sync(open_run_context())

    def refuse(_connection, _cursor, statement, *_more):
        if "using hnsw" in statement:
            raise OSError("No space left on device")

    event.listen(database.sessions, "before_cursor_execute", refuse)
    now = change(tree)
    report = sync(open_run_context(language="german", hnsw_from_entries=1)).index
    event.remove(database.sessions, "before_cursor_execute", refuse)
    # The live generation lacks its index too; it is served without it.
    assert served(database) == now
    assert (report.is_live, report.was_promoted) == (False, False)
    assert "No space left on device" in str(report.reason)
    report = sync(open_run_context(language="german", hnsw_from_entries=1)).index
    assert (report.is_live, report.has_vector_index) == (True, True)


def age(database: Database, interval: str) -> None:
    """Set the retirement of a generation back by a time."""
    query(
        database,
        f"update ragline.generations set retired_at = retired_at - interval '{interval}' "
        "where retired_at is not null returning id",
    )


@pytest.mark.parametrize(("interval", "kept"), [("1 hour", True), ("25 hours", False)])
def test_retired_generation_is_dropped_a_day_later(database, open_run_context, interval, kept):
    sync(open_run_context())
    sync(open_run_context(language="german"))
    age(database, interval)
    report = sync(open_run_context(language="german")).index
    assert (report.dropped_generations == []) is kept
    assert states(database) == ["retired" if kept else "dropped", "live"]


@pytest.mark.parametrize("interval", ["1 hour", "25 hours"])
def test_settings_that_return_find_their_generation_again(
    database, tree, open_run_context, interval
):
    sync(open_run_context())
    sync(open_run_context(language="german"))
    age(database, interval)
    now = change(tree)
    report = sync(open_run_context()).index
    assert (report.generation, report.is_live, report.was_promoted) == (1, True, True)
    assert report.dropped_generations == []
    assert states(database) == ["live", "retired"]
    assert served(database) == now


def test_settings_that_return_while_their_build_fails_keep_their_generation(
    database, tree, open_run_context, models
):
    sync(open_run_context(embedding_model="other"))
    sync(open_run_context())
    age(database, "25 hours")
    lost = models.pop("other")
    now = change(tree)
    report = sync(open_run_context(embedding_model="other")).index
    assert (report.is_live, report.dropped_generations) == (False, [])
    assert served(database) == now
    models["other"] = lost
    assert sync(open_run_context(embedding_model="other")).index.generation == 1


def test_model_is_loaded_outside_of_a_transaction(database, tree, open_run_context):
    """The same for a generation that the settings do not ask for."""
    sync(open_run_context())
    settings = {"embedding_model": "other", "chunking": {"max_tokens": 20, "overlap_tokens": 0}}
    sync(open_run_context(**settings))
    tree.write("roof", "the roof is red")
    run_context = open_run_context(**settings)
    open_connections: dict[str, int] = {}
    load = run_context.embedder

    def load_and_look(model: str) -> Any:
        pool = database.engine.pool
        open_connections.setdefault(model, pool.checkedout())  # type: ignore[attr-defined]
        return load(model)

    run_context.embedder = load_and_look  # type: ignore[method-assign]
    sync_documents(run_context, "tree")
    build_chunks(run_context, "tree")
    run_context.close()
    assert open_connections == {"other": 0, "hash": 0}


def test_counts_are_compared_once_a_day_and_not_at_every_publish(database, open_run_context):
    sync(open_run_context())
    query(database, "update ragline.generations set entry_count = 99 returning id")
    sync(open_run_context())
    assert query(database, "select entry_count from ragline.generations") == [99]
    query(
        database,
        "update ragline.generations set counted_at = counted_at - interval "
        f"'{MAX_COUNT_AGE.total_seconds():.0f} seconds' returning id",
    )
    sync(open_run_context())
    assert query(database, "select entry_count from ragline.generations") == [2]


def test_counts_are_compared_after_a_proof_that_found_a_difference(database, open_run_context):
    sync(open_run_context())
    query(
        database,
        "insert into ragline.sync_proofs (source_id, is_listed, documents, hashed_documents, "
        "entries, largest_unseen_ratio, difference_count, differences, seconds) "
        "select id, true, 2, 2, 2, 0, 1, '[]', 0 from ragline.sources returning id",
    )
    query(database, "update ragline.generations set entry_count = 99 returning id")
    with open_run_context() as run_context:
        publish_index(run_context, "tree")
    assert query(database, "select entry_count from ragline.generations") == [2]


def test_states_of_a_generation_are_the_same_in_code_database_and_page(database):
    with database.connect() as connection:
        rows = connection.execute(
            text("select from_state, to_state from ragline.generation_transitions")
        )
        assert {tuple(row) for row in rows} == list_generation_pairs()
    page = (REPOSITORY / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    for rule in GENERATION_TRANSITIONS:
        froms = ", ".join(f"`{state}`" for state in rule.from_states)
        assert f"| {froms} | `{rule.to_state}` | {rule.when} |" in page


def test_database_refuses_other_transitions_of_a_generation(database, open_run_context):
    sync(open_run_context())
    with database.begin() as connection, pytest.raises(Exception, match="cannot go from"):
        connection.execute(text("update ragline.generations set state = 'dropped'"))


def refuse_long_chunks(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """A chunker that fails on one document with chunks of `at` tokens."""
    plain = chunks.chunk_document

    def chunk(document: ParsedDocument, settings: ChunkingSettings, tokenizer: Any) -> Any:
        if "tomatoes" in document.text and settings.max_tokens == at:
            raise RecursionError("too deep")
        return plain(document, settings, tokenizer)

    monkeypatch.setattr(chunks, "chunk_document", chunk)


OTHER_CHUNKS = {"chunking": {"max_tokens": 20, "overlap_tokens": 0}}


def test_document_that_a_new_chunker_cannot_chunk_is_still_served(
    database, tree, open_run_context, monkeypatch
):
    sync(open_run_context())
    refuse_long_chunks(monkeypatch, at=20)
    # More failures than MAX_ATTEMPTS allows for a document.
    for number in range(7):
        tree.write("roof", f"the roof is red {number}")
        report = sync(open_run_context(**OTHER_CHUNKS)).index
        assert served(database) == {name: one.text for name, one in tree.documents.items()}
        assert not report.is_live
        assert "1 documents cannot be chunked as the settings ask for, first garden" in str(
            report.reason
        )
    assert query(database, "select distinct state from ragline.documents") == ["ready"]
    # The rest of the build is complete and is not repeated.
    assert query(database, "select count(*) from ragline.placements where generation_id = 2") == [2]
    monkeypatch.undo()
    report = sync(open_run_context(**OTHER_CHUNKS)).index
    assert (report.is_live, report.error) == (True, None)


def test_document_that_the_first_chunker_cannot_chunk_fails_separately(
    database, open_run_context, monkeypatch
):
    refuse_long_chunks(monkeypatch, at=24)
    report = sync(open_run_context()).index
    assert (report.is_live, report.error) == (True, None)
    assert set(served(database)) == {"harbour"}
    assert query(
        database, "select error_name from ragline.documents where document_id = 'garden'"
    ) == ["ChunkingError"]


def refuse_entries(database: Database, generation: int, code: str) -> None:
    """Let the database refuse the entries of one document, like a value that is too large."""
    with database.begin() as connection:
        connection.execute(
            text(
                "create or replace function public.refuse() returns trigger language plpgsql as $$ "
                "begin if new.document_id = 'garden' then raise exception 'it is too much' "
                f"using errcode = '{code}'; end if; return new; end $$"
            )
        )
        connection.execute(
            text(
                f"create trigger refuse before insert on ragline.entries_{generation} "
                "for each row execute function public.refuse()"
            )
        )


@pytest.mark.parametrize("code", ["22000", "22P05", "54000"])
def test_entry_that_cannot_be_written_fails_its_document_only(
    database, tree, open_run_context, code
):
    sync(open_run_context())
    refuse_entries(database, 1, code)
    tree.write("garden", "tomatoes want more sun")
    tree.write("harbour", "the ferry leaves at eight")
    tree.write("roof", "the roof is red")
    report = sync(open_run_context())
    assert report.index.error is None
    assert report.entries.inserted == 2
    assert served(database) == {
        "harbour": "the ferry leaves at eight",
        "roof": "the roof is red",
    }
    assert query(
        database,
        "select state || ' ' || error_name || ' ' || error from ragline.documents "
        "where document_id = 'garden'",
    ) == [
        (
            "quarantined BrokenDocumentError document garden: the index cannot store an entry of "
            "it (it is too much CONTEXT: PL/pgSQL function refuse() line 1 at RAISE)"
        )
    ]


def test_entry_that_a_new_generation_cannot_store_does_not_change_the_live_one(
    database, tree, open_run_context, models
):
    sync(open_run_context())
    models["other"].error = OSError("the disk is full")
    sync(open_run_context(embedding_model="other"))
    models["other"].error = None
    refuse_entries(database, 2, "54000")
    for number in range(7):
        tree.write("roof", f"the roof is red {number}")
        report = sync(open_run_context(embedding_model="other")).index
        assert served(database) == {name: one.text for name, one in tree.documents.items()}
        assert "document garden: the index cannot store an entry of it" in str(report.reason)
    assert states(database) == ["live", "building"]
    with database.begin() as connection:
        connection.execute(text("drop trigger refuse on ragline.entries_2"))
    assert sync(open_run_context(embedding_model="other")).index.is_live


def test_fault_of_a_table_fails_no_document(database, tree, open_run_context):
    sync(open_run_context())
    refuse_entries(database, 1, "42501")
    tree.write("garden", "tomatoes want more sun")
    report = sync(open_run_context()).index
    assert report.error is not None
    assert query(database, "select state from ragline.documents where document_id = 'garden'") == [
        "pending"
    ]


def test_publishing_leaves_no_pending_list_for_searches_to_read(database, tree, open_run_context):
    for number in range(300):
        tree.write(f"note-{number}", f"note {number} about the ferry and the garden")
    sync(open_run_context())
    (pages,) = query(
        database, "select gin_clean_pending_list(to_regclass('ragline.entries_1_tsv_idx'))"
    )
    assert pages == 0
