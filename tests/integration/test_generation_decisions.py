"""An operator builds, promotes, rolls back, refuses and drops generations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import numpy as np
import pytest
from lifecycle_doubles import (
    Crash,
    HashEmbedder,
    Reports,
    TreeRunContext,
    TreeSource,
    crash_at,
    make_run_context,
    sync,
)
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from assets.search_index import check_index, describe_index
from ragline.command_line.generation_output import describe_build
from ragline.configuration import CollectionSettings, Configuration
from ragline.embedder.model_files import find_model_files
from ragline.embedder.space import EmbeddingSpace
from ragline.errors import (
    BuildInProgressError,
    ConfigurationError,
    GenerationGoneError,
    GenerationStateError,
    IncompleteGenerationError,
    UnknownCollectionError,
    UnknownGenerationError,
)
from ragline.lifecycle import (
    decision_transactions,
    embeddings,
    generation_builds,
    generation_decisions,
)
from ragline.lifecycle.generation_builds import BuildReport, build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    drop_by_decision,
    promote_by_id,
    promote_candidate,
    refuse_generation,
    roll_back,
)
from ragline.lifecycle.generation_notices import read_notices
from ragline.lifecycle.generation_records import list_records, read_record
from ragline.lifecycle.generations import (
    find_live,
    list_generations,
    lock_collection,
    lock_generation,
    promote_generation,
    try_delete_refused_entries,
)
from ragline.lifecycle.requested_removals import remove_source
from ragline.lifecycle.term_weights import update_term_weights
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.status import read_status
from ragline.storage.database import Database

ADA = Decision("ada", "better hits")


class QueryEmbedder(HashEmbedder):
    """Embeds queries too; can call a function before each batch."""

    before: Callable[[], None] | None = None

    def embed_query(self, query: str) -> np.ndarray:
        ((_, vectors),) = HashEmbedder(space=self.space).embed_batches([query])
        return vectors[0]

    def embed_batches(self, texts: Any, commit_size: int = 512) -> Any:
        if self.before is not None:
            self.before()
        yield from super().embed_batches(texts, commit_size)


def make_models() -> dict[str, QueryEmbedder]:
    other = EmbeddingSpace("other", "1" * 64, 8, 256)
    return {"hash": QueryEmbedder(), "other": QueryEmbedder(space=other)}


@dataclass
class Site:
    """A tree of documents whose generations an operator manages."""

    database: Database
    home: Path
    tree: TreeSource = field(default_factory=TreeSource)
    models: dict[str, QueryEmbedder] = field(default_factory=make_models)
    mode: str = "manual"
    runs: int = 0

    def open(self, **collection: Any) -> TreeRunContext:
        self.runs += 1
        return make_run_context(
            self.database,
            self.home,
            self.tree,
            self.models["hash"],
            run_id=f"run-{self.runs}",
            collection={"build": self.mode, **collection},
            models=dict(self.models),
        )

    @property
    def configuration(self) -> Configuration:
        return self.open().configuration

    def sync(self, **collection: Any) -> Reports:
        return sync(self.open(**collection))

    def build(self, **collection: Any) -> BuildReport:
        with self.open(**collection) as run_context:
            return build_generation(run_context, "tree", ADA)

    def query(self, statement: str) -> list[Any]:
        with self.database.begin() as connection:
            return list(connection.execute(text(statement)).scalars())

    def states(self) -> list[str]:
        return self.query("select state from ragline.generations order by id")

    def live(self) -> int:
        (found,) = self.query("select live_generation_id from ragline.collections")
        return int(found)

    def documents(self, generation: int) -> dict[str, str]:
        """The text of each document in a generation."""
        with self.database.connect() as connection:
            rows = connection.execute(
                text(
                    "select document_id, string_agg(text, ' ' order by ordinal) "
                    f"from ragline.entries_{generation} group by document_id"
                )
            )
            return {row[0]: row[1] for row in rows}

    def written(self) -> dict[str, str]:
        return {name: document.text for name, document in self.tree.documents.items()}

    def notice(self, **collection: Any) -> str:
        return read_notices(self.database, self.open(**collection).configuration)["tree"]

    def trail(self, generation: int) -> list[tuple[str | None, str, str, str | None]]:
        _, events = read_record(self.database, generation)
        return [(one.from_state, one.to_state, one.changed_by, one.reason) for one in events]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    site = Site(database, tmp_path)
    site.tree.write("harbour", "the ferry leaves at seven")
    site.tree.write("garden", "tomatoes want sun and water")
    site.sync()
    return site


GERMAN = {"language": "german"}
OTHER = {"embedding_model": "other"}


# The setting `build: manual`.


def test_first_generation_is_built_and_promoted_by_the_sync(site: Site):
    assert site.states() == ["live"]
    assert site.trail(1) == [
        (None, "building", "run run-1", "the settings ask for it"),
        ("building", "live", "run run-1", "it is complete"),
    ]


@pytest.mark.parametrize("changed", [GERMAN, OTHER, {"chunking": {"max_tokens": 16}}])
def test_manual_change_of_settings_starts_nothing(site: Site, changed: dict[str, Any]):
    if "chunking" in changed:
        changed = {"chunking": {"max_tokens": 16, "overlap_tokens": 0}}
    site.tree.write("roof", "the roof is red")
    del site.tree.documents["harbour"]
    index = site.sync(**changed).index
    (name,) = changed
    assert site.states() == ["live"]
    assert site.documents(1) == site.written()
    assert sum(site.models["other"].embedded.values()) == 0
    assert (index.generation, index.is_live, index.reason, index.error) == (1, False, None, None)
    line = (
        f"the settings differ from the live generation 1 ({name}); build a new one with "
        "`ragline generation build tree`"
    )
    assert index.notice == line
    # No red mark and no alarm.
    assert check_index(index).passed
    assert describe_index(index)["notice"] == line
    (collection,) = read_status(site.database).collections
    assert (collection.alarms, collection.candidates) == ([], 0)
    assert read_notices(site.database, site.open(**changed).configuration) == {"tree": line}
    assert read_notices(site.database, site.open().configuration) == {}


def test_change_of_settings_that_is_automatic_is_promoted_by_the_sync(site: Site):
    site.mode = "automatic"
    index = site.sync(**GERMAN).index
    assert (index.was_promoted, index.notice) == (True, None)
    assert [event[:2] for event in site.trail(2)] == [
        (None, "building"), ("building", "candidate"), ("candidate", "live"),
    ]  # fmt: skip
    assert read_notices(site.database, site.open(**GERMAN).configuration) == {}


def test_notice_knows_that_the_files_of_a_model_have_changed(site: Site):
    folder = site.home / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    def use_files(weights: str) -> None:
        """Change the files of the model, and load them as a new process does."""
        (folder / "model.safetensors").write_text(weights)
        files = find_model_files(str(folder))
        site.models[str(folder)] = QueryEmbedder(
            space=EmbeddingSpace(str(folder), files.model_hash, 8, 256)
        )

    settings = {"embedding_model": str(folder)}
    use_files("first")
    site.build(**settings)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    assert read_notices(site.database, site.open(**settings).configuration) == {}
    use_files("second")
    notice = site.notice(**settings)
    assert notice == site.sync(**settings).index.notice
    assert "differ from the live generation 2 (the files of the model)" in notice
    site.build(**settings)
    notice = site.notice(**settings)
    assert notice == site.sync(**settings).index.notice
    assert "generation 3 with these settings is not live" in notice
    promote_candidate(site.database, site.configuration, "tree", ADA)
    assert read_notices(site.database, site.open(**settings).configuration) == {}
    use_files("first")
    assert "generation 2 with these settings is not live" in site.notice(**settings)


# Build.


def test_build_ends_as_a_candidate_that_receives_changes(site: Site):
    report = site.build(**OTHER)
    assert (report.generation, report.state, report.embeddings_made) == (2, "candidate", 2)
    assert site.states() == ["live", "candidate"]
    assert site.live() == 1
    assert site.trail(2)[-1] == ("building", "candidate", "ada", "better hits")
    site.tree.write("roof", "the roof is red")
    del site.tree.documents["harbour"]
    index = site.sync(**OTHER).index
    assert site.documents(1) == site.documents(2) == site.written()
    assert index.notice == (
        "generation 2 with these settings is not live; make it live with "
        "`ragline generation promote 2`"
    )
    assert check_index(index).passed
    assert set(site.query("select state from ragline.documents")) == {"ready", "removed"}
    # Running it again makes nothing.
    again = site.build(**OTHER)
    assert (again.state, again.chunks_made, again.embeddings_made) == ("candidate", 0, 0)


def test_build_does_not_write_the_live_generation_or_the_report_of_a_sync(site: Site):
    before = site.query("select count(*) from ragline.source_syncs")
    site.query("update ragline.generations set counted_at = null returning id")
    entries = "select max(id) from ragline.entries_1"
    last = site.query(entries)
    site.build(**OTHER)
    assert site.query(entries) == last
    assert site.query("select count(*) from ragline.source_syncs") == before


def test_build_of_the_live_settings_says_so(site: Site):
    assert site.build().state == "live"
    assert site.states() == ["live"]


def test_build_of_a_collection_without_a_live_generation_is_refused(
    database: Database, tmp_path: Path
):
    empty = Site(database, tmp_path)
    with pytest.raises(GenerationStateError, match="`ragline sync` builds and promotes its first"):
        empty.build()
    assert empty.query("select count(*) from ragline.generations") == [0]


@pytest.mark.parametrize("wrong", [{"language": "englisch"}, {"embedding_model": "gone"}])
def test_build_with_settings_that_cannot_be_satisfied_writes_nothing(
    site: Site, wrong: dict[str, Any]
):
    with pytest.raises(ConfigurationError):
        site.build(**wrong)
    assert site.states() == ["live"]


def test_two_builds_of_a_collection_do_not_run_at_once(site: Site):
    begun, ended = Event(), Event()

    def wait() -> None:
        begun.set()
        assert ended.wait(60)

    site.models["other"].before = wait
    first = Thread(target=lambda: site.build(**OTHER))
    first.start()
    assert begun.wait(60)
    try:
        # Also with other settings.
        for settings in (OTHER, GERMAN):
            with pytest.raises(BuildInProgressError, match="is being built by ragline run-"):
                site.build(**settings)
        assert site.states() == ["live", "building"]
    finally:
        ended.set()
        first.join()
    assert site.states() == ["live", "candidate"]


def test_killed_build_continues_and_embeds_only_its_last_batch_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embeddings, "FIRST_BUILD_TEXTS", 4)
    monkeypatch.setattr(embeddings, "BUILD_BATCH_S", 0.0)
    monkeypatch.setattr(embeddings, "MIN_BUILD_TEXTS", 4)
    for number in range(30):
        site.tree.write(f"note-{number}", f"the note {number} has a text of its own")
    site.sync()
    crashes = 0
    for statement in range(3, 90, 6):
        with crash_at(site.database, statement), site.open(**OTHER) as run_context:
            try:
                build_generation(run_context, "tree", ADA)
            except Crash:
                crashes += 1
        assert site.live() == 1
    report = site.build(**OTHER)
    assert crashes > 5
    assert report.state == "candidate"
    assert site.documents(2) == site.documents(1) == site.written()
    vectors = "select md5(string_agg(embedding::text || text, ' ' order by text)) from "
    disturbed = site.query(f"{vectors} ragline.entries_2")
    embedded = site.models["other"].embedded
    assert embedded.total() - len(embedded) <= 4 * crashes
    # As a build that nothing disturbed.
    refuse_generation(site.database, 2, ADA)
    site.build(**OTHER)
    undisturbed = site.query(f"{vectors} ragline.entries_2")
    assert undisturbed == disturbed
    assert embedded.total() - len(embedded) <= 4 * crashes


def test_sync_continues_a_build_that_was_killed(site: Site):
    with crash_at(site.database, 40), site.open(**OTHER) as run_context, pytest.raises(Crash):
        build_generation(run_context, "tree", ADA)
    assert site.states() == ["live", "building"]
    assert "continues the build" in site.notice(**OTHER)
    index = site.sync(**OTHER).index
    assert site.states() == ["live", "candidate"]
    assert index.is_live is False
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 2


def test_settings_that_change_during_a_build_end_it(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(generation_builds, "CHECK_INTERVAL_S", 0.0)
    embedder = site.models["other"]

    def change_settings() -> None:
        embedder.before = None
        site.sync(**GERMAN)

    embedder.before = change_settings
    with pytest.raises(GenerationGoneError, match="generation 2 is dropped: another run has"):
        site.build(**OTHER)
    assert site.states() == ["live", "dropped"]
    assert site.trail(2)[1][1:] == ("abandoned", "run run-3", "the settings no longer ask for it")
    # With the settings again, the stored vectors are used again.
    assert site.build(**OTHER).generation == 3
    assert set(site.models["other"].embedded.values()) == {1}


def test_build_says_that_its_generation_was_closed_before_it_began(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    opened = generation_builds.open_generations

    def close_and_open(*arguments: Any) -> Any:
        site.query("update ragline.generations set state = 'abandoned' where id = 2 returning id")
        return opened(*arguments)

    monkeypatch.setattr(generation_builds, "open_generations", close_and_open)
    with pytest.raises(GenerationGoneError, match="generation 2 was closed before its build began"):
        site.build(**OTHER)


@pytest.mark.parametrize(
    ("state", "words", "advice"),
    [
        ("candidate", "a candidate", "; promote it with `ragline generation promote 2`"),
        ("refused", "refused now", ""),
    ],
)
def test_report_of_a_build_has_the_state_at_its_end(state: str, words: str, advice: str):
    made = "3 chunks made, 2 embeddings made, 1 entry written in 0.5 s"
    report = BuildReport("tree", 2, state, 3, 2, 1, 0.5)
    plain = CollectionSettings(name="tree")
    assert describe_build(report, plain) == f"tree: generation 2 is {words}: {made}{advice}"


def test_candidate_that_the_settings_no_longer_ask_for_is_dropped(site: Site):
    site.build(**OTHER)
    site.sync()
    assert site.states() == ["live", "dropped"]
    with pytest.raises(GenerationStateError, match="has no candidate to promote"):
        promote_candidate(site.database, site.configuration, "tree", ADA)
    with pytest.raises(GenerationStateError, match=r"its table was dropped; restore its settings"):
        promote_by_id(site.database, site.configuration, 2, ADA)


def test_candidate_of_a_build_with_other_settings_is_replaced(site: Site):
    site.build(**OTHER)
    assert site.build(**GERMAN).generation == 3
    assert site.states() == ["live", "dropped", "candidate"]


# Promotion and rollback.


def test_promotion_is_decided_by_an_operator(site: Site):
    site.build(**OTHER)
    promotion = promote_candidate(site.database, site.configuration, "tree", ADA)
    assert (promotion.generation, promotion.retired_generation, promotion.unindexed) == (2, 1, 0)
    assert site.states() == ["retired", "live"]
    assert site.live() == 2
    assert site.trail(2)[-1] == ("candidate", "live", "ada", "better hits")
    assert site.trail(1)[-1] == ("live", "retired", "ada", "better hits")
    index = site.sync(**OTHER).index
    assert (index.is_live, index.notice) == (True, None)
    with pytest.raises(GenerationStateError, match="`ragline generation rollback tree` returns"):
        promote_by_id(site.database, site.configuration, 2, ADA)


def test_incomplete_generation_is_not_promoted(site: Site):
    site.build(**OTHER)
    site.tree.write("roof", "the roof is red")
    site.models["other"].error = OSError("the disk is full")
    site.sync(**OTHER)
    for promote in (
        lambda: promote_candidate(site.database, site.configuration, "tree", ADA),
        lambda: promote_by_id(site.database, site.configuration, 2, ADA),
    ):
        with pytest.raises(IncompleteGenerationError, match="it lacks 1 readable document"):
            promote()
    assert site.live() == 1
    site.models["other"].error = None
    site.build(**OTHER)
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 2


def test_generation_that_is_being_built_is_not_promoted(site: Site):
    site.models["other"].error = OSError("the disk is full")
    with pytest.raises(OSError, match="the disk is full"):
        site.build(**OTHER)
    for promote in (
        lambda: promote_candidate(site.database, site.configuration, "tree", ADA),
        lambda: promote_by_id(site.database, site.configuration, 2, ADA),
        lambda: refuse_generation(site.database, 2, ADA),
    ):
        with pytest.raises(GenerationStateError, match="still being built"):
            promote()


def test_unknown_names_are_refused(site: Site):
    with pytest.raises(UnknownCollectionError, match="did you mean 'tree'"):
        promote_candidate(site.database, site.configuration, "treee", ADA)
    with pytest.raises(UnknownCollectionError):
        roll_back(site.database, "treee", ADA)
    with pytest.raises(UnknownCollectionError):
        list_records(site.database, "treee")
    with pytest.raises(UnknownGenerationError, match="there is no generation 9"):
        promote_by_id(site.database, site.configuration, 9, ADA)
    with pytest.raises(UnknownGenerationError, match="there is no generation 9"):
        refuse_generation(site.database, 9, ADA)


@pytest.mark.parametrize("mode", ["manual", "automatic"])
def test_no_sync_promotes_what_was_rolled_back(site: Site, mode: str):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    site.tree.write("roof", "the roof is red")
    site.sync(**OTHER)
    rolled = roll_back(site.database, "tree", Decision("ada", "worse hits"))
    assert (rolled.generation, rolled.retired_generation, rolled.unindexed) == (1, 2, 0)
    assert site.trail(2)[-1] == ("live", "retired", "ada", "worse hits")
    site.mode = mode
    for _ in range(2):
        site.tree.write("garden", f"tomatoes want water {site.runs}")
        index = site.sync(**OTHER).index
        assert (site.live(), site.states()) == (1, ["live", "retired"])
        assert index.notice == (
            "generation 2 with these settings was refused or rolled back; make it live with "
            "`ragline generation promote 2`, or change the settings"
        )
        assert (index.is_live, index.error, check_index(index).passed) == (False, None, True)
        # Both receive changes.
        assert site.documents(1) == site.documents(2) == site.written()
    # Not in the grace period, and not after it.
    site.query("update ragline.generations set retired_at = retired_at - interval '25 hours' "
               "where retired_at is not null returning id")  # fmt: skip
    site.sync(**OTHER)
    assert site.states() == ["live", "retired"]
    # The database refuses it too.
    with site.database.begin() as connection, pytest.raises(DBAPIError, match="held_check"):
        promote_generation(connection, 1, 2)
    assert promote_by_id(site.database, site.configuration, 2, ADA).generation == 2
    assert site.sync(**OTHER).index.is_live
    # The first one can be returned to again.
    assert roll_back(site.database, "tree", ADA).generation == 1


def test_rollback_leaves_out_what_was_rolled_back(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    roll_back(site.database, "tree", ADA)
    with pytest.raises(GenerationStateError, match="has no retired generation to return to"):
        roll_back(site.database, "tree", ADA)


def test_rollback_after_the_grace_period_says_what_to_do(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    site.query("update ragline.generations set retired_at = retired_at - interval '25 hours' "
               "where retired_at is not null returning id")  # fmt: skip
    site.sync(**OTHER)
    assert site.states() == ["dropped", "live"]
    with pytest.raises(GenerationStateError, match="then run `ragline generation build tree`"):
        roll_back(site.database, "tree", ADA)
    # The settings return after the grace period: a build makes them a generation again.
    assert site.build().generation == 3
    assert sum(site.models["hash"].embedded.values()) == 2
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 3
    assert site.documents(3) == site.written()


def test_settings_that_return_find_the_retired_generation(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    index = site.sync().index
    assert index.notice == (
        "generation 1 with these settings is not live; make it live with "
        "`ragline generation promote 1`"
    )
    assert site.build().state == "retired"
    promote_by_id(site.database, site.configuration, 1, ADA)
    assert site.sync().index.is_live
    # To return to an older generation is a rollback, also by its id.
    assert list_records(site.database, "tree")[1].held_at is not None


def test_document_that_the_older_generation_lacks_is_pending_after_a_rollback(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    site.models["hash"].error = OSError("the disk is full")
    site.tree.write("roof", "the roof is red")
    site.sync(**OTHER)
    assert site.documents(1).keys() == {"harbour", "garden"}
    site.models["hash"].error = None
    assert roll_back(site.database, "tree", ADA).unindexed == 1
    pending = "select document_id from ragline.documents where state = 'pending'"
    assert site.query(pending) == ["roof"]
    site.sync(**OTHER)
    assert site.documents(1) == site.written()
    assert site.query(pending) == []


def test_rollback_does_not_wait_for_documents_that_a_worker_has_claimed(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    site.models["hash"].error = OSError("the disk is full")
    site.tree.write("roof", "the roof is red")
    site.sync(**OTHER)
    site.models["hash"].error = None
    site.query("update ragline.documents set state = 'pending' where document_id = 'garden' "
               "returning id")  # fmt: skip
    states = "select state from ragline.documents order by document_id"
    assert site.query(states) == ["pending", "ready", "ready"]
    with site.database.begin() as connection:
        # As the writer of entries: first the documents, then the generation.
        connection.execute(text("select from ragline.documents for no key update"))
        rollback = Thread(target=lambda: roll_back(site.database, "tree", ADA))
        rollback.start()
        rollback.join(20)
        assert not rollback.is_alive()
        lock_generation(connection, 1)
        assert site.live() == 1
        assert site.query(states) == ["pending", "ready", "ready"]
    site.sync(**OTHER)
    assert site.documents(1) == site.written()
    assert site.query(states) == ["ready", "ready", "ready"]


def test_rollback_does_not_wait_for_an_update_of_all_term_weights(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    site.query("update ragline.generations set weighted_length = 99 where id = 2 returning id")
    with site.database.connect() as connection:
        live = find_live(list_generations(connection, "tree"))
    assert live is not None
    updated: list[bool] = []

    def update() -> None:
        with site.database.begin() as connection:
            updated.append(update_term_weights(connection, live))

    first, second = Thread(target=update), Thread(target=update)
    with site.database.begin() as connection:
        # The update waits here for its first entry.
        connection.execute(text("select from ragline.entries_2 for update"))
        first.start()
        wait_for_waiting(site, "set lexical")
        second.start()
        second.join(20)
        assert updated == [False], "a second process leaves the update to the first"
        assert roll_back(site.database, "tree", ADA).generation == 1
        assert site.live() == 1
        # A writer of entries waits for the new weights.
        site.tree.write("roof", "the roof is red")
        writing = Thread(target=lambda: site.sync(**OTHER))
        writing.start()
        wait_for_waiting(site, "for update")
        assert site.documents(2).keys() == {"harbour", "garden"}
    first.join()
    writing.join()
    assert updated == [False, True]
    assert site.documents(2) == site.written()
    assert site.query("select count(*) from ragline.generations where weighted_length = 99") == [0]


def wait_for_waiting(site: Site, words: str) -> None:
    """Wait until a statement with these words waits for a lock."""
    waiting = (
        "select query from pg_stat_activity where wait_event_type = 'Lock' "
        "and datname = current_database()"
    )
    deadline = monotonic() + 30
    while not any(words in query for query in site.query(waiting)):
        assert monotonic() < deadline
        _wait(0.02)


def test_promotion_waits_until_a_running_sync_has_written_the_candidate(site: Site):
    site.build(**OTHER)
    embedder = site.models["other"]
    begun, ended = Event(), Event()

    def wait() -> None:
        begun.set()
        assert ended.wait(60)

    embedder.before = wait
    site.tree.write("roof", "the roof is red")
    syncing = Thread(target=lambda: site.sync(**OTHER))
    syncing.start()
    assert begun.wait(60)
    promotions: list[int] = []
    promoting = Thread(
        target=lambda: promotions.append(
            promote_candidate(site.database, site.configuration, "tree", ADA).generation
        )
    )
    promoting.start()
    promoting.join(0.5)
    assert promoting.is_alive()
    assert site.live() == 1
    ended.set()
    promoting.join(60)
    syncing.join()
    assert promotions == [2]
    assert site.documents(2) == site.written()


def test_decision_says_that_a_run_writes_the_generation(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(decision_transactions, "DECISION_WAIT", "200ms")
    site.build(**OTHER)
    with site.database.begin() as connection:
        lock_generation(connection, 2)
        for decide, what in (
            (
                lambda: promote_candidate(site.database, site.configuration, "tree", ADA),
                "a generation of tree",
            ),
            (
                lambda: promote_by_id(site.database, site.configuration, 2, ADA),
                "generation 2 or the live one",
            ),
            (lambda: refuse_generation(site.database, 2, ADA), "generation 2"),
        ):
            with pytest.raises(GenerationStateError, match=f"a run is writing {what}; nothing"):
                decide()
    assert site.states() == ["live", "candidate"]
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 2


# Refusal and drop.


def test_hold_outlives_the_drop_of_a_generation(site: Site):
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    roll_back(site.database, "tree", Decision("ada", "worse hits"))
    # With the old settings, the generation that was rolled back is dropped after its day.
    site.sync()
    site.query("update ragline.generations set retired_at = retired_at - interval '25 hours' "
               "where retired_at is not null returning id")  # fmt: skip
    assert site.sync().index.dropped_generations == [2]
    site.mode = "automatic"
    index = site.sync(**OTHER).index
    assert site.states() == ["live", "dropped", "candidate"]
    assert (site.live(), index.is_live) == (1, False)
    assert "generation 3 with these settings was refused or rolled back" in str(index.notice)
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 3
    assert site.states() == ["retired", "dropped", "live"]


@pytest.mark.parametrize("mode", ["manual", "automatic"])
def test_no_sync_builds_what_was_refused(site: Site, mode: str):
    site.build(**OTHER)
    refuse_generation(site.database, 2, Decision("ada", "worse hits"))
    site.mode = mode
    for _ in range(2):
        site.tree.write("garden", f"tomatoes want water {site.runs}")
        index = site.sync(**OTHER).index
        assert site.states() == ["live", "refused"]
        assert site.documents(1) == site.written()
        assert "generation 2 with these settings was refused; build it again" in str(index.notice)
        assert (index.generation, index.error, check_index(index).passed) == (1, None, True)
    assert site.query("select to_regclass('ragline.entries_2')") == [None]
    assert site.query("select count(*) from ragline.placements where generation_id = 2") == [0]
    with pytest.raises(GenerationStateError, match="it was refused, and its entries are deleted"):
        promote_by_id(site.database, site.configuration, 2, ADA)
    with pytest.raises(GenerationStateError, match="cannot be refused: it was refused"):
        refuse_generation(site.database, 2, ADA)
    # A build that an operator asks for begins again, and embeds nothing twice.
    report = site.build(**OTHER)
    assert (report.generation, report.state) == (2, "candidate")
    assert set(site.models["other"].embedded.values()) == {1}
    # It is still an operator's decision, also with `automatic`.
    assert not site.sync(**OTHER).index.is_live
    assert promote_candidate(site.database, site.configuration, "tree", ADA).generation == 2
    assert site.documents(2) == site.written()


def test_table_that_a_worker_uses_is_dropped_by_the_next_sync(site: Site):
    site.build(**OTHER)
    with site.database.begin() as connection:
        connection.execute(text("select from ragline.entries_2"))
        refuse_generation(site.database, 2, ADA)
        assert site.states() == ["live", "refused"]
        assert site.query("select to_regclass('ragline.entries_2') is null") == [False]
    site.sync(**OTHER)
    assert site.query("select to_regclass('ragline.entries_2') is null") == [True]


def test_table_of_a_refused_generation_that_is_built_again_is_kept(site: Site):
    site.build(**OTHER)
    refuse_generation(site.database, 2, ADA)
    site.build(**OTHER)
    # A sync that read the list of refused generations before the build does this after it.
    assert try_delete_refused_entries(site.database, 2)
    assert site.states() == ["live", "candidate"]
    assert site.documents(2) == site.written()


def test_removed_source_leaves_no_text_in_a_refused_generation(site: Site):
    site.build(**OTHER)
    with site.database.begin() as connection:
        connection.execute(text("select from ragline.entries_2"))
        refuse_generation(site.database, 2, ADA)
    remove_source(site.database, "tree", site.home)
    assert site.query("select to_regclass('ragline.entries_2') is null") == [True]
    assert site.query("select count(*) from ragline.placements") == [0]


def test_generation_that_is_not_live_can_be_dropped(site: Site):
    configuration = site.open().configuration
    site.build(**OTHER)
    drop_by_decision(site.database, configuration, 2, ADA)
    site.build(**OTHER)
    refuse_generation(site.database, 3, ADA)
    drop_by_decision(site.database, configuration, 3, ADA)
    site.build(**OTHER)
    promote_candidate(site.database, site.configuration, "tree", ADA)
    drop_by_decision(site.database, configuration, 1, ADA)
    assert site.states() == ["dropped", "dropped", "dropped", "live"]
    for generation, message in ((4, "it is live"), (1, "its table was dropped")):
        with pytest.raises(GenerationStateError, match=message):
            drop_by_decision(site.database, configuration, generation, ADA)


def test_drop_of_what_the_next_sync_builds_again_is_refused(site: Site):
    site.build(**OTHER)
    site.mode = "automatic"
    with pytest.raises(GenerationStateError, match="the next sync would build and promote it"):
        drop_by_decision(site.database, site.open(**OTHER).configuration, 2, ADA)
    assert site.states() == ["live", "candidate"]


def test_drop_does_not_wait_for_a_worker(site: Site):
    site.build(**OTHER)
    with site.database.begin() as connection:
        connection.execute(text("select from ragline.entries_2"))
        with pytest.raises(GenerationStateError, match="a run is writing generation 2"):
            drop_by_decision(site.database, site.open().configuration, 2, ADA)
    assert site.states() == ["live", "candidate"]


def test_drop_that_ends_in_a_deadlock_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch):
    def fail(connection: Connection, _: int) -> None:
        connection.execute(text("do $$ begin raise exception using errcode = '40P01'; end $$"))

    site.build(**OTHER)
    monkeypatch.setattr(generation_decisions, "drop_generation", fail)
    with pytest.raises(GenerationStateError, match="a run is writing generation 2"):
        drop_by_decision(site.database, site.open().configuration, 2, ADA)
    assert site.states() == ["live", "candidate"]


# Decisions about a generation that another process closes at this time.


def close_before(site: Site, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Abandon the generation 2 when a decision calls the function `name`, and then call it."""
    called = getattr(generation_decisions, name)

    def close_and_call(*arguments: Any) -> Any:
        site.query("update ragline.generations set state = 'abandoned' where id = 2 returning id")
        return called(*arguments)

    monkeypatch.setattr(generation_decisions, name, close_and_call)


def test_candidate_that_is_abandoned_meanwhile_is_not_promoted(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    site.build(**OTHER)
    close_before(site, monkeypatch, "count_unindexed")
    with pytest.raises(GenerationStateError, match="cannot be promoted: the settings no longer"):
        promote_candidate(site.database, site.configuration, "tree", ADA)
    assert (site.live(), site.states()) == (1, ["live", "abandoned"])


def test_candidate_that_is_abandoned_meanwhile_is_not_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    site.build(**OTHER)
    close_before(site, monkeypatch, "name_change")
    with pytest.raises(GenerationStateError, match="cannot be refused: the settings no longer"):
        refuse_generation(site.database, 2, ADA)
    assert site.states() == ["live", "abandoned"]


def test_sync_abandons_a_candidate_after_a_decision_about_it(site: Site):
    site.build(**OTHER)
    abandoning = Thread(target=site.sync)
    with site.database.begin() as connection:
        lock_collection(connection, "tree")
        abandoning.start()
        abandoning.join(3)
        assert abandoning.is_alive()
        assert site.states() == ["live", "candidate"]
    abandoning.join()
    assert site.states() == ["live", "dropped"]


# Searches.


class Reader(Thread):
    """Searches without a pause; keeps which generation each answer came from, and each fault."""

    def __init__(self, searcher: Searcher, texts: dict[int, set[str]], mode: str) -> None:
        super().__init__()
        self.searcher, self.texts, self.mode = searcher, texts, mode
        self.answers: list[tuple[float, int]] = []
        self.faults: list[object] = []
        self.should_end = False

    def run(self) -> None:
        while not self.should_end:
            started = monotonic()
            try:
                request = SearchRequest("tree", "the number of a note", 10, self.mode)
                answer = self.searcher.search(request)
            except Exception as error:  # noqa: BLE001  each failed search is a fault
                self.faults.append(error)
                continue
            self.answers.append((started, answer.generation))
            found = {hit.text for hit in answer.hits}
            if not found or not found <= self.texts[answer.generation]:
                self.faults.append((answer.generation, found))
            if {hit.receipt.generation for hit in answer.hits} != {answer.generation}:
                self.faults.append(answer.generation)


def test_searches_do_not_fail_or_mix_generations_while_they_are_switched(
    database: Database, tmp_path: Path
):
    site = Site(database, tmp_path)
    for number in range(40):
        words = " ".join(f"word{number}x{index}" for index in range(52))
        site.tree.write(f"note-{number}", f"the number of a note is {number} and {words}")
    site.sync()
    changed = {**OTHER, "chunking": {"max_tokens": 16, "overlap_tokens": 0}}
    site.build(**changed)
    texts = {key: set(site.query(f"select text from ragline.entries_{key}")) for key in (1, 2)}
    assert not texts[1] & texts[2]
    searcher = Searcher(database, site.open().configuration)
    for name, embedder in site.models.items():
        searcher.models.add_embedder(name, embedder)  # type: ignore[arg-type]
    readers = [Reader(searcher, texts, mode) for mode in ("hybrid", "keyword", "vector")]
    switches = switch_while_reading(site, readers)
    assert [live for _, live in switches] == [1, *[2, 1] * 5]
    for reader in readers:
        assert reader.faults == []
        assert {generation for _, generation in reader.answers} == {1, 2}
        for started, generation in reader.answers:
            # A search that begins after the commit sees the new generation.
            before = [live for time, live in switches if time <= started]
            after = [live for time, live in switches if started < time < started + 1]
            assert generation in {before[-1], *after}


def switch_while_reading(site: Site, readers: list[Reader]) -> list[tuple[float, int]]:
    """Promote and roll back five times; return when which generation was live."""
    switches = [(monotonic(), 1)]
    for reader in readers:
        reader.start()
    try:
        for number in range(10):
            _wait(0.3)
            if number % 2:
                live = roll_back(site.database, "tree", ADA).generation
            else:
                live = promote_by_id(site.database, site.configuration, 2, ADA).generation
            switches.append((monotonic(), live))
        _wait(0.3)
    finally:
        for reader in readers:
            reader.should_end = True
        for reader in readers:
            reader.join()
    return switches


def _wait(seconds: float) -> None:
    Event().wait(seconds)
