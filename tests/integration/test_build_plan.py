"""A plan says what a build will do, writes nothing, and the build then does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import (
    DIMENSION,
    HashEmbedder,
    Reports,
    TreeRunContext,
    TreeSource,
    make_run_context,
    sync,
)
from sqlalchemy import text

from ragline.embedder.space import EmbeddingSpace
from ragline.errors import ReadOnlyDatabaseError, UnknownCollectionError
from ragline.lifecycle import plan_cost, plan_work
from ragline.lifecycle.build_plan import BuildPlan, plan_build, plan_first_build
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision, refuse_generation
from ragline.lifecycle.plan_settings import SettingChange
from ragline.lifecycle.plan_work import PlannedWork
from ragline.storage.database import Database
from ragline.storage.existing_database import as_read_only
from ragline.text_analysis import VERSION

Open = Callable[..., TreeRunContext]
OTHER = EmbeddingSpace("other", "1" * 64, 2 * DIMENSION, 256)
# Two paragraphs of 20 words. With the chunk size of the tests each is one chunk.
PARAGRAPHS = "\n\n".join(" ".join(f"{word}{n}" for n in range(20)) for word in ("one", "two"))


class WideEmbedder(HashEmbedder):
    """An embedder of a second space, with twice the dimension."""

    def embed_batches(self, texts, commit_size=512):
        for indices, vectors in super().embed_batches(texts, commit_size):
            yield indices, vectors.repeat(2, axis=1)


@pytest.fixture
def tree() -> TreeSource:
    tree = TreeSource()
    tree.write("harbour", "the ferry leaves at seven")
    tree.write("garden", PARAGRAPHS)
    # Its text has the first paragraph of `garden`, so both need one embedding for it.
    tree.write("copy", PARAGRAPHS.partition("\n\n")[0])
    return tree


@pytest.fixture
def open_run_context(database: Database, tmp_path: Path, tree: TreeSource) -> Open:
    def open_with(**collection: Any) -> TreeRunContext:
        models = {"hash": HashEmbedder(), "other": WideEmbedder(space=OTHER)}
        return make_run_context(
            database, tmp_path, tree, HashEmbedder(), collection=collection, models=models
        )

    return open_with


def count_rows(database: Database) -> dict[str, int]:
    """The rows of every table of Ragline, also of the tables of entries."""
    with database.connect() as connection:
        names = connection.execute(
            text("select tablename from pg_tables where schemaname = 'ragline'")
        ).scalars()
        return {
            name: connection.execute(text(f"select count(*) from ragline.{name}")).scalar_one()
            for name in names.all()
        }


def plan(run_context: TreeRunContext) -> BuildPlan:
    """The plan; it must have written nothing, and Postgres must have refused nothing."""
    database = run_context.database
    before = count_rows(database)
    run_context.database = as_read_only(database)
    made = plan_build(run_context, "tree")
    run_context.database = database
    assert count_rows(database) == before
    return made


def plan_and_build(open_run_context: Open, **collection: Any) -> tuple[PlannedWork, Reports]:
    """The planned work of a build, and the reports of the sync that built it and made it live."""
    planned = plan(open_run_context(**collection))
    assert planned.prevented_by == []
    assert planned.work is not None
    reports = sync(open_run_context(**collection))
    assert reports.index.is_live
    return planned.work, reports


def assert_done(work: PlannedWork, reports: Reports) -> None:
    """The build did what was planned, exactly."""
    assert not work.is_estimate
    assert work.documents == reports.index.documents
    assert work.entries == reports.index.entries == reports.entries.inserted
    assert work.embeddings_to_make == reports.embeddings.embeddings_made


def query(database: Database, statement: str) -> list[Any]:
    with database.begin() as connection:
        return list(connection.execute(text(statement)).scalars())


def test_settings_of_the_live_generation_need_no_build(open_run_context):
    sync(open_run_context())
    made = plan(open_run_context())
    assert (made.action, made.live_generation, made.generation) == ("none", 1, 1)
    assert (made.changes, made.prevented_by, made.work, made.command) == ([], [], None, None)


def test_another_model_is_planned_and_built_as_planned(database, open_run_context):
    sync(open_run_context())
    made = plan(open_run_context(embedding_model="other"))
    assert (made.action, made.generation) == ("build", None)
    assert made.command == "ragline sync tree"
    assert made.changes == [
        SettingChange("embedding_model", "hash", "other"),
        SettingChange("dimension", DIMENSION, 2 * DIMENSION),
    ]
    work, reports = plan_and_build(open_run_context, embedding_model="other")
    assert_done(work, reports)
    # All chunks are used again. Three distinct texts are in four chunks.
    assert (work.parses_reused, work.chunks_reused, work.chunks_to_make) == (3, 4, 0)
    assert (work.embeddings_reused, work.embeddings_to_make, work.tokens) == (0, 3, 45)
    assert query(database, "select count(*) from ragline.chunks") == [4]
    assert plan(open_run_context(embedding_model="other")).action == "none"


def test_another_language_needs_no_embedding(open_run_context):
    sync(open_run_context())
    made = plan(open_run_context(language="german"))
    assert made.changes == [SettingChange("language", "english", "german")]
    work, reports = plan_and_build(open_run_context, language="german")
    assert_done(work, reports)
    assert (work.chunks_to_make, work.embeddings_reused, work.embeddings_to_make) == (0, 3, 0)


def test_text_analysis_of_another_release_needs_no_embedding(database, open_run_context):
    sync(open_run_context())
    with database.begin() as connection:
        for table in ("generations", "placements"):
            connection.execute(text(f"update ragline.{table} set analysis_version = null"))
    made = plan(open_run_context())
    assert made.changes == [SettingChange("text_analysis", None, VERSION)]
    work, reports = plan_and_build(open_run_context)
    assert_done(work, reports)
    assert (work.documents, work.chunks_to_make, work.embeddings_to_make) == (3, 0, 0)


def test_another_chunk_size_of_a_small_collection_is_counted_exactly(database, open_run_context):
    sync(open_run_context())
    size = {"max_tokens": 40, "overlap_tokens": 0}
    made = plan(open_run_context(chunking=size))
    assert made.changes == [SettingChange("chunking.max_tokens", 24, 40)]
    work, reports = plan_and_build(open_run_context, chunking=size)
    assert_done(work, reports)
    # `harbour` and `copy` fit into one chunk with both sizes, so their embeddings are used again.
    assert (work.chunks_reused, work.chunks_to_make) == (0, 3)
    assert (work.embeddings_reused, work.embeddings_to_make) == (2, 1)
    assert query(database, "select count(*) from ragline.chunks") == [4 + 3]


def test_large_collection_is_estimated_from_a_sample(tree, open_run_context, monkeypatch):
    for number in range(60):
        tree.write(f"page {number}", " ".join(f"w{number}x{n}" for n in range(100)))
    sync(open_run_context())
    monkeypatch.setattr(plan_work, "MAX_SAMPLED_PARSES", 20)
    size = {"max_tokens": 50, "overlap_tokens": 0}
    work, reports = plan_and_build(open_run_context, chunking=size)
    assert work.is_estimate
    assert str(work.estimated_from).startswith("the chunks of 20 of 63 parses")
    assert work.documents == 63
    assert work.chunks_to_make == pytest.approx(reports.index.entries, rel=0.2)
    assert work.embeddings_to_make == pytest.approx(reports.embeddings.embeddings_made, rel=0.2)


def test_time_and_disk_are_estimated_from_measured_rates(open_run_context):
    sync(open_run_context())
    made = plan(open_run_context(embedding_model="other"))
    assert made.time is not None
    assert made.disk is not None
    steps = {step.step: step for step in made.time.steps}
    assert list(steps) == ["embed", "index"]
    assert steps["embed"].amount == 45
    assert steps["embed"].rate_from == "measured now on 3 texts of this collection (hash)"
    assert steps["embed"].seconds == pytest.approx(45 / steps["embed"].per_second)
    # This database is too small to know how fast entries are written, and the plan says so.
    assert steps["index"].seconds is None
    assert made.time.not_included == ["index"]
    assert made.time.seconds == steps["embed"].seconds
    assert made.disk.live_bytes > 0
    assert made.disk.needed_bytes > 0


def test_rate_of_writing_entries_comes_from_the_last_build(database, open_run_context):
    sync(open_run_context())
    # Three batches of 500 entries, two seconds apart.
    with database.begin() as connection:
        connection.execute(text("update ragline.generations set entry_count = 1500"))
        connection.execute(
            text(
                "update ragline.placements set entry_count = 500, "
                "placed_at = '2026-01-01'::timestamptz + (document_key % 3) * interval '2 seconds'"
            )
        )
    made = plan(open_run_context(embedding_model="other"))
    assert made.time is not None
    step = made.time.steps[-1]
    assert (step.step, step.per_second) == ("index", pytest.approx(250))
    assert step.rate_from == "recorded by the last build in this database"


def test_time_and_size_of_the_vector_index_come_from_the_last_one(database, open_run_context):
    sync(open_run_context())
    changed = {"embedding_model": "other", "hnsw_from_entries": 2}
    made = plan(open_run_context(**changed))
    assert made.time is not None
    assert "vector index" in made.time.not_included
    step = made.time.steps[-1]
    assert step.rate_from == (
        "no rate is known, because this database has built no vector index yet"
    )
    sync(open_run_context(hnsw_from_entries=2))
    made = plan(open_run_context(**changed))
    assert made.time is not None
    assert made.disk is not None
    step = made.time.steps[-1]
    with database.connect() as connection:
        entries, seconds = connection.execute(
            text("select vector_index_entries, vector_index_seconds from ragline.generations")
        ).one()
    assert (step.step, step.per_second) == ("vector index", pytest.approx(entries / seconds))
    assert step.seconds == pytest.approx(step.amount / step.per_second)
    assert step.rate_from == (
        f"recorded for the last vector index in this database, of {entries:,} entries"
    )
    assert 0 < made.disk.vector_index_bytes < made.disk.needed_bytes
    assert plan(open_run_context(embedding_model="other")).disk.vector_index_bytes == 0


def test_first_build_without_documents(open_run_context):
    made = plan(open_run_context())
    assert (made.action, made.live_generation) == ("first_build", None)
    assert made.unlisted_sources == ["tree"]
    assert made.work is not None
    assert (made.work.documents, made.work.embeddings_to_make) == (0, 0)
    assert made.command == "ragline sync tree"


def test_first_build_after_its_documents_were_read(open_run_context):
    run_context = open_run_context()
    sync_documents(run_context, "tree")
    run_context.close()
    work, reports = plan_and_build(open_run_context)
    assert_done(work, reports)
    assert (work.documents, work.chunks_to_make, work.embeddings_to_make) == (3, 4, 3)


def test_documents_that_are_not_read_yet_are_counted_apart(database, open_run_context):
    sync(open_run_context())
    with database.begin() as connection:
        connection.execute(
            text(
                "update ragline.documents set state = 'pending', parse_id = null "
                "where document_id = 'copy'"
            )
        )
    made = plan(open_run_context(embedding_model="other"))
    assert made.work is not None
    assert (made.work.documents, made.work.unread_documents) == (2, 1)


def test_build_that_was_interrupted_is_continued(database, open_run_context):
    sync(open_run_context())
    wanted = {"chunking": {"max_tokens": 40, "overlap_tokens": 0}, "embedding_model": "other"}
    run_context = open_run_context(**wanted)
    build_chunks(run_context, "tree")
    run_context.close()
    with database.begin() as connection:
        # One of its texts is embedded already.
        connection.execute(
            text(
                "insert into ragline.embeddings (embedding_space_id, text_hash, embedding) "
                "select g.embedding_space_id, c.text_hash, array_fill(0.25, array[16])::halfvec "
                "from ragline.generations g join ragline.chunkings k using (chunker_fingerprint) "
                "join ragline.chunks c on c.chunking_id = k.id where g.id = 2 "
                "order by c.text_hash limit 1"
            )
        )
    made = plan(open_run_context(**wanted))
    assert (made.action, made.generation, made.generation_state) == ("continue", 2, "building")
    work, reports = plan_and_build(open_run_context, **wanted)
    assert_done(work, reports)
    assert (work.chunks_reused, work.chunks_to_make) == (3, 0)
    assert (work.embeddings_reused, work.embeddings_to_make) == (1, 2)


def test_partly_chunked_build_adds_the_stored_chunks(database, open_run_context):
    sync(open_run_context())
    wanted = {"chunking": {"max_tokens": 40, "overlap_tokens": 0}}
    run_context = open_run_context(**wanted)
    build_chunks(run_context, "tree")
    run_context.close()
    with database.begin() as connection:
        connection.execute(
            text(
                "delete from ragline.chunks where chunking_id in (select k.id from "
                "ragline.chunkings k join ragline.generations g using (chunker_fingerprint) "
                "where g.id = 2 and k.parse_id = 1)"
            )
        )
        connection.execute(
            text(
                "delete from ragline.chunkings k using ragline.generations g where g.id = 2 "
                "and g.chunker_fingerprint = k.chunker_fingerprint and k.parse_id = 1"
            )
        )
    work, reports = plan_and_build(open_run_context, **wanted)
    assert (work.chunks_reused, work.chunks_to_make) == (2, 1)
    assert work.is_estimate
    assert work.entries == reports.index.entries


def test_reverted_settings_use_the_retired_generation_again(open_run_context):
    sync(open_run_context())
    sync(open_run_context(embedding_model="other"))
    made = plan(open_run_context())
    assert (made.action, made.generation, made.generation_state) == ("use_again", 1, "retired")
    assert made.live_generation == 2
    assert made.work is not None
    assert (made.work.documents, made.work.entries, made.work.embeddings_to_make) == (0, 0, 0)
    reports = sync(open_run_context())
    assert (reports.index.generation, reports.index.was_promoted) == (1, True)
    assert reports.entries.inserted == 0


def test_settings_reverted_during_a_build_abandon_it(open_run_context):
    sync(open_run_context())
    run_context = open_run_context(embedding_model="other")
    build_chunks(run_context, "tree")
    run_context.close()
    made = plan(open_run_context())
    assert (made.action, made.abandoned_generations) == ("none", [2])


def test_model_that_cannot_be_loaded_prevents_the_build(open_run_context):
    sync(open_run_context())
    size = {"max_tokens": 48, "overlap_tokens": 0}
    made = plan(open_run_context(embedding_model="gone", chunking=size))
    assert (made.action, made.command) == ("build", None)
    (reason,) = made.prevented_by
    assert "embedding_model: ModelUnavailableError: model gone: there is no such folder" in reason
    assert made.changes == [
        SettingChange("embedding_model", "hash", "gone"),
        SettingChange("chunking.max_tokens", 24, 48),
    ]
    # Chunks of twice the size: about half as many.
    assert made.work is not None
    assert (made.work.documents, made.work.chunks_to_make) == (3, 2)
    assert made.work.is_estimate
    assert "because the tokenizer of the model cannot be loaded" in str(made.work.estimated_from)
    assert made.time is not None
    step = next(one for one in made.time.steps if one.step == "embed")
    assert step.rate_from.startswith("no rate of gone is known; this is the rate of hash, measured")


def test_model_of_a_first_build_that_cannot_be_loaded_leaves_the_figures_open(open_run_context):
    run_context = open_run_context()
    sync_documents(run_context, "tree")
    run_context.close()
    made = plan(open_run_context(embedding_model="gone"))
    assert made.prevented_by
    assert made.work is not None
    assert made.work.documents == 3
    assert (made.work.chunks_to_make, made.work.tokens) == (None, None)


def test_model_that_fails_to_embed_gives_the_rate_of_the_live_one(open_run_context):
    sync(open_run_context())
    run_context = open_run_context(embedding_model="other")
    run_context.models["other"].error = RuntimeError("broken weights")
    made = plan(run_context)
    assert made.time is not None
    assert "this is the rate of hash" in made.time.steps[0].rate_from


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"language": "englisch"}, "did you mean 'english'"),
        ({"chunking": {"max_tokens": 1_000}}, "more than the 256 tokens"),
        ({"reranker": "late-interacton"}, "did you mean 'late-interaction'"),
        ({"golden": "/nowhere"}, "/nowhere/queries.jsonl: there is no such file"),
    ],
)
def test_refused_settings_prevent_the_build(open_run_context, wrong, said):
    sync(open_run_context())
    made = plan(open_run_context(**wrong))
    assert said in "\n".join(made.prevented_by)
    assert made.command is None
    assert made.live_generation == 1


def test_last_failed_build_is_a_warning(database, open_run_context):
    sync(open_run_context())
    with database.begin() as connection:
        connection.execute(text("update ragline.collections set build_error = 'the disk is full'"))
    made = plan(open_run_context(language="german"))
    assert made.warnings == ["the last run could not build it: the disk is full"]
    assert made.command == "ragline sync tree"


def test_disk_that_is_too_small_is_a_warning(open_run_context, monkeypatch):
    sync(open_run_context())
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("ragline.lifecycle.plan_cost.shutil.disk_usage", lambda _path: usage)
    made = plan(open_run_context(language="german"))
    assert made.disk is not None
    assert made.disk.free_bytes == 10
    assert "the disk has 10 bytes free" in made.warnings[-1]


def test_unknown_collection_is_refused(open_run_context):
    with pytest.raises(UnknownCollectionError, match="tree"):
        plan_build(open_run_context(), "tre")


def test_plan_without_a_database_names_what_prevents_the_first_build(open_run_context):
    configuration = open_run_context(language="englisch").configuration
    model = {"embedding_model": "sentence-transformers/all-MiniLM-L6-v2"}
    (settings,) = configuration.collections
    changed = configuration.model_copy(update={"collections": (settings.model_copy(update=model),)})
    made = plan_first_build(changed, "tree")
    assert (made.action, made.work, made.command) == ("first_build", None, None)
    assert "did you mean 'english'" in made.prevented_by[0]


def test_read_only_database_refuses_writes(database):
    with (
        pytest.raises(ReadOnlyDatabaseError, match="read-only"),
        as_read_only(database).begin() as connection,
    ):
        connection.execute(text("delete from ragline.documents"))


def test_other_files_under_the_name_of_a_model_are_a_change(open_run_context):
    sync(open_run_context())
    run_context = open_run_context()
    model = run_context.models["hash"]
    model.space = replace(model.space, model_hash="2" * 64)
    made = plan(run_context)
    assert made.changes == [SettingChange("model_files", "0" * 12, "2" * 12)]
    assert made.action == "build"


@pytest.mark.parametrize(
    ("dimension", "entry", "embedding", "in_index"),
    [(384, 1147, 1005, 1171), (768, 2171, 1733, 2049), (1024, 3107, 2975, 2732)],
)
def test_bytes_of_a_row_are_those_that_were_measured(dimension, entry, embedding, in_index):
    assert plan_cost._entry_bytes(dimension) == pytest.approx(entry, rel=0.01)
    assert plan_cost._embedding_bytes(dimension) == pytest.approx(embedding, rel=0.01)
    connections = 16 * plan_cost.CONNECTION_BYTES
    computed = plan_cost._fill_pages(2 * dimension + connections + plan_cost.VECTOR_INDEX_BYTES)
    assert computed == pytest.approx(in_index, rel=0.01)


def test_operator_builds_and_promotes_with_the_commands_of_the_plan(database, open_run_context):
    sync(open_run_context())
    wanted = {"embedding_model": "other", "build": "manual"}
    made = plan(open_run_context(**wanted))
    assert (made.action, made.command) == ("build", "ragline generation build tree")
    sync(open_run_context(**wanted))
    assert plan(open_run_context(**wanted)).work == made.work
    run_context = open_run_context(**wanted)
    report = build_generation(run_context, "tree", Decision("ada", None))
    run_context.close()
    assert made.work is not None
    assert report.embeddings_made == made.work.embeddings_to_make
    assert report.entries_inserted == made.work.entries
    assert report.chunks_made == made.work.chunks_to_make
    made = plan(open_run_context(**wanted))
    assert (made.action, made.generation_state) == ("promote", "candidate")
    assert made.command == "ragline generation promote 2"
    # A candidate that lacks a readable document cannot be promoted; a build completes it.
    with database.begin() as connection:
        connection.execute(
            text(
                "delete from ragline.placements where generation_id = 2 and document_key = "
                "(select id from ragline.documents where document_id = 'copy')"
            )
        )
    made = plan(open_run_context(**wanted))
    assert (made.action, made.generation_state) == ("continue", "candidate")
    assert made.work is not None
    assert (made.work.documents, made.command) == (1, "ragline generation build tree")
    # With other settings, the candidate is abandoned.
    made = plan(open_run_context(language="german"))
    assert (made.action, made.abandoned_generations) == ("build", [2])
    assert made.command == "ragline sync tree"


def test_refused_generation_is_built_again_with_its_stored_embeddings(database, open_run_context):
    sync(open_run_context())
    wanted = {"embedding_model": "other", "build": "manual"}
    run_context = open_run_context(**wanted)
    build_generation(run_context, "tree", Decision("ada", None))
    run_context.close()
    refuse_generation(database, 2, Decision("ada", "worse hits"))
    made = plan(open_run_context(**wanted))
    assert (made.action, made.generation, made.generation_state) == ("build", 2, "refused")
    # A sync must not build it, also with the setting `automatic`.
    assert made.command == "ragline generation build tree"
    made = plan(open_run_context(embedding_model="other"))
    assert made.command == "ragline generation build tree"
    assert made.work is not None
    assert (made.work.entries, made.work.embeddings_reused) == (4, 3)
    assert made.work.embeddings_to_make == 0
