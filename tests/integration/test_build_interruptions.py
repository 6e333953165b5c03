"""A long build of a new generation: changes and removals do not wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import numpy as np
import pytest
from lifecycle_doubles import (
    HashEmbedder,
    Reports,
    TreeRunContext,
    TreeSource,
    make_run_context,
    sync,
)
from sqlalchemy import text

from dagster_project.sync_runs import run_sync
from ragline.configuration import Configuration
from ragline.embedder.space import EmbeddingSpace
from ragline.lifecycle import build_interruptions, embeddings
from ragline.lifecycle.pending_work import read_pending_work
from ragline.lifecycle.source_syncs import read_sync_reports
from ragline.progress import SilentProgress
from ragline.status import read_status
from ragline.storage.database import Database

# Great Expectations, which each sync runs, imports what Python has deprecated, and has advice.
pytestmark = [
    pytest.mark.filterwarnings("ignore:module 'sre_"),
    pytest.mark.filterwarnings("ignore:You are using a generic SQLDatasource"),
]

DOCUMENTS = 60
TEXT_S = 0.05


@dataclass
class SlowEmbedder(HashEmbedder):
    """Sleeps for each text; `has_begun` says that it got the first one."""

    has_begun: bool = False
    space: EmbeddingSpace = field(default_factory=lambda: EmbeddingSpace("slow", "2" * 64, 8, 256))

    def embed_batches(
        self, texts: Sequence[str], commit_size: int = 512
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        self.has_begun = True
        sleep(TEXT_S * len(texts))
        yield from super().embed_batches(texts, commit_size)


@dataclass
class Site:
    """A tree that is served, and the model that its settings are changed to."""

    database: Database
    home: Path
    tree: TreeSource
    quick: HashEmbedder = field(default_factory=HashEmbedder)
    slow: SlowEmbedder = field(default_factory=SlowEmbedder)
    runs: int = 0

    def open(self, model: str, **collection: Any) -> TreeRunContext:
        self.runs += 1
        return make_run_context(
            self.database,
            self.home,
            self.tree,
            self.quick,
            run_id=f"run-{self.runs}",
            collection={"embedding_model": model, **collection},
            models={"hash": self.quick, "slow": self.slow},
        )

    def sync(self, model: str, **collection: Any) -> Reports:
        return sync(self.open(model, **collection))

    def query(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(text(statement)).scalars())

    def served(self) -> set[str]:
        (live,) = self.query("select live_generation_id from ragline.collections")
        return set(self.query(f"select document_id from ragline.entries_{live}"))

    def states(self) -> list[str]:
        return self.query("select state from ragline.generations order by id")

    def interrupt(self, act: Any) -> Reports:
        """A sync with the slow model, during which `act` is called."""
        done: list[Reports] = []
        self.slow.has_begun = False
        run = Thread(target=lambda: done.append(self.sync("slow")))
        run.start()
        while not self.slow.has_begun:
            sleep(0.01)
        act()
        run.join()
        return done[0]


@pytest.fixture
def site(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(build_interruptions, "MIN_BUILD_S", 0.1)
    monkeypatch.setattr(build_interruptions, "LOCAL_CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(embeddings, "FIRST_BUILD_TEXTS", 4)
    monkeypatch.setattr(embeddings, "BUILD_BATCH_S", 0.2)
    monkeypatch.setattr(embeddings, "MIN_BUILD_TEXTS", 1)
    tree = TreeSource()
    for number in range(DOCUMENTS):
        tree.write(f"note-{number}", f"the note number {number} has a text of its own")
    site = Site(database, tmp_path, tree)
    site.sync("hash")
    return site


def test_removal_does_not_wait_for_the_end_of_a_build(site: Site):
    left = site.interrupt(lambda: site.tree.documents.pop("note-7"))
    assert "note-7" in site.served()
    # The run ended without error; the next one updates the live generation first.
    assert left.index.error is None
    assert not left.index.is_live
    assert "chunks are embedded; changes of the source come first" in str(left.index.reason)
    left = site.interrupt(lambda: site.tree.write("roof", "the roof is red"))
    assert "note-7" not in site.served()
    # On any machine, the removal waited for a small part of the build.
    assert len(site.slow.embedded) < DOCUMENTS // 2
    assert left.entries.build_left
    assert site.states() == ["live", "building"]
    ended = site.sync("slow")
    assert (ended.index.is_live, ended.index.reason) == (True, None)
    assert site.served() == set(site.tree.documents)
    assert set(site.slow.embedded.values()) == {1}
    assert len(site.slow.embedded) >= DOCUMENTS


def test_run_that_left_a_build_succeeds_and_the_next_is_due_at_once(site: Site):
    left = site.interrupt(lambda: site.tree.write("roof", "the roof is red"))
    assert left.entries.build_left
    (collection,) = read_status(site.database).collections
    assert collection.alarms == []
    pending = read_pending_work(site.database, "tree", None)
    assert (pending.unbuilt_documents, pending.failed_at) == (left.entries.build_left, None)
    assert not pending.is_empty
    report = read_sync_reports(site.database, f"run-{site.runs}")["tree"]
    assert report.error is None
    assert report.finished_at is not None
    site.sync("slow")
    pending = read_pending_work(site.database, "tree", None)
    assert pending.unbuilt_documents is None
    assert pending.is_empty


def test_build_is_not_paused_while_the_source_is_unchanged(site: Site):
    ended = site.sync("slow")
    assert (ended.index.is_live, ended.entries.build_left) == (True, None)


def test_change_in_the_run_that_begins_a_build_is_served_before_it(site: Site):
    site.tree.documents.pop("note-3")
    site.tree.write("roof", "the roof is red")
    seen: list[set[str]] = []
    site.interrupt(lambda: seen.append(site.served()))
    assert seen == [set(site.tree.documents)]


def test_counts_of_a_run_include_the_work_for_the_live_generation(site: Site):
    site.tree.documents.pop("note-3")
    site.tree.write("roof", "the roof is red")
    report = site.sync("slow")
    assert report.entries.deleted == 1
    assert report.entries.inserted == 1 + DOCUMENTS
    assert report.entries.documents_made_ready == 1
    assert report.embeddings.embeddings_made == 1 + DOCUMENTS


def test_source_that_always_changes_does_not_prevent_the_end_of_a_build(site: Site):
    site.tree.is_restless = True
    for _ in range(DOCUMENTS):
        if site.sync("slow").index.is_live:
            break
    assert site.states() == ["retired", "live"]
    assert set(site.slow.embedded.values()) == {1}


def test_change_does_not_embed_the_requests_of_a_build_with_the_same_model(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    """A model has one queue, and a build may leave hours of work in it."""
    monkeypatch.setattr(build_interruptions, "MIN_BUILD_S", 0.0)
    settings = {"chunking": {"max_tokens": 16, "overlap_tokens": 0}, "language": "german"}
    for name in list(site.tree.documents):
        site.tree.write(name, " ".join(f"{name} says word {word}" for word in range(10)))
    site.sync("hash")
    site.tree.is_restless = True
    left = site.sync("hash", **settings)
    assert left.entries.build_left
    asked = site.query("select count(*) from ragline.embedding_requests")[0]
    assert asked > 0
    site.tree.is_restless = False
    site.tree.write("roof", "the roof is red")
    # With the old settings, the live generation needs one text.
    assert site.sync("hash").embeddings.embeddings_made == 1


def test_confirmed_removal_pauses_the_build(site: Site):
    """The probe of the source does not show it; the ledger does."""
    statement = text(
        "update ragline.documents set state = 'missing', missing_since = clock_timestamp() "
        "where document_id = 'note-9'"
    )

    def confirm() -> None:
        with site.database.begin() as connection:
            connection.execute(statement)

    left = site.interrupt(confirm)
    assert left.entries.build_left


CONFIGURATION = """\
collections:
  - {name: notes, build: automatic, chunking: {max_tokens: 200}}
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""


def test_sync_of_the_command_line_ends_with_the_build(
    tmp_path: Path,
    database: Database,
    configure: Callable[[str], Configuration],
    monkeypatch: pytest.MonkeyPatch,
):
    """The source changes while each of its runs builds."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(4):
        text_of = f"# Note {number}\n\n" + f"The note {number} says a lot of itself. " * 20
        (notes / f"{number}.md").write_text(text_of, "utf-8")
    configuration = configure(CONFIGURATION)
    assert run_sync(configuration, database, ["note-files"], SilentProgress()).ok
    monkeypatch.setattr(build_interruptions, "MIN_BUILD_S", 0.0)
    monkeypatch.setattr(build_interruptions, "_has_changed", lambda *_: True)
    monkeypatch.setattr(embeddings, "FIRST_BUILD_TEXTS", 4)
    configuration = configure(CONFIGURATION.replace("200", "64"))
    outcome = run_sync(configuration, database, ["note-files"], SilentProgress())
    assert outcome.ok
    assert outcome.collections["notes"].is_live
    assert outcome.checks_failed == []
    with database.connect() as connection:
        runs = connection.execute(text("select count(*) from ragline.source_syncs")).scalar_one()
        (live,) = connection.execute(text("select live_generation_id from ragline.collections"))
        chunks = connection.execute(
            text(f"select count(distinct text_hash) from ragline.entries_{live[0]}")
        ).scalar_one()
    assert runs > 2
    assert outcome.sources["note-files"].embeddings_made == chunks
    assert outcome.sources["note-files"].build_left is None
