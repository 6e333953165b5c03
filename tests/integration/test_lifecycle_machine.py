"""Random sequences of changes, crashes and incomplete listings, compared with a dictionary.

The stages run without Dagster on real Postgres, with a source in memory and a hashing embedder.
With RAGLINE_SOAK set, thousands of sequences instead of a hundred.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lifecycle_doubles import (
    Crash,
    HashEmbedder,
    TreeRunContext,
    TreeSource,
    crash_at,
    make_run_context,
    sync,
)
from repetition_counts import choose_count
from sqlalchemy import text

from ragline.chunking import chunk_document
from ragline.errors import SourceUnavailableError
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.document_worker import parse_record
from ragline.lifecycle.documents import read_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.generations import list_generations
from ragline.lifecycle.sync_proof import prove_source
from ragline.sources.protocol import FetchedDocument
from ragline.storage.database import Database

EXAMPLES = choose_count(32, 5_000)
STEPS = 12
NAMES = st.sampled_from([f"{folder}{letter}" for folder in ("", "sub/") for letter in "abcd"])
# Sentences that several documents contain, so that equal texts occur.
SENTENCES = st.lists(st.integers(0, 12), min_size=1, max_size=5)
READERS = st.sampled_from([None, (), ("red",), ("red", "blue")])


class Machine(RuleBasedStateMachine):
    """A tree, its syncs, and what a search must find after each sync."""

    database: Database
    home: Path
    numbers = itertools.count()

    @initialize()
    def begin(self) -> None:
        self.name = f"tree-{next(self.numbers)}"
        self.tree = TreeSource()
        self.embedder = HashEmbedder()
        self.served: dict[str, tuple[str, tuple[str, ...] | None]] = {}
        self.history: set[tuple[str, str]] = set()
        self.deleted: dict[str, str] = {}
        self.crashes = 0

    # What happens to the tree.

    @rule(name=NAMES, sentences=SENTENCES)
    def write(self, name: str, sentences: list[int]) -> None:
        principals = self.tree.documents[name].principals if name in self.tree.documents else None
        self._write(name, self._make_text(sentences), principals)

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = self._pick(data)
        self.deleted[name] = self.tree.documents.pop(name).text

    @precondition(lambda self: self.deleted)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.deleted)))
        self._write(name, self.deleted.pop(name), None)

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data(), new_name=NAMES)
    def rename(self, data: st.DataObject, new_name: str) -> None:
        document = self.tree.documents.pop(self._pick(data))
        self._write(new_name, document.text, document.principals)

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        self.tree.touch(self._pick(data))

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data(), readers=READERS)
    def permit(self, data: st.DataObject, readers: tuple[str, ...] | None) -> None:
        name = self._pick(data)
        self._write(name, self.tree.documents[name].text, readers)

    # What happens to a sync.

    @rule()
    def sync(self) -> None:
        before = sum(self.embedder.embedded.values())
        needed = self._count_needed()
        sync(self._run_context())
        self.served = {
            name: (document.text, document.principals)
            for name, document in self.tree.documents.items()
        }
        assert self._read_index() == self.served
        assert sum(self.embedder.embedded.values()) - before == needed

    @rule(count=st.integers(0, 3))
    def sync_of_a_partial_listing(self, count: int) -> None:
        self.tree.breaks_after = count
        with pytest.raises(SourceUnavailableError):
            sync(self._run_context())
        self.tree.breaks_after = None
        self._check_whole_versions()

    @rule()
    def sync_of_a_source_that_is_away(self) -> None:
        self.tree.is_away = True
        with pytest.raises(SourceUnavailableError):
            sync(self._run_context())
        self.tree.is_away = False
        self._check_whole_versions()

    @rule(statement=st.integers(1, 60))
    def crash(self, statement: int) -> None:
        with crash_at(self.database, statement):
            try:
                sync(self._run_context())
            except Crash:
                self.crashes += 1
        self._check_whole_versions()

    @rule()
    def sync_with_another_worker(self) -> None:
        failures: list[BaseException] = []
        helper = threading.Thread(target=self._help, args=(failures,))
        helper.start()
        sync(self._run_context())
        helper.join()
        assert failures == []
        sync(self._run_context())
        self.served = {
            name: (document.text, document.principals)
            for name, document in self.tree.documents.items()
        }
        assert self._read_index() == self.served

    def teardown(self) -> None:
        if not hasattr(self, "tree"):
            return
        self.sync()
        again = sync(self._run_context())
        assert (again.entries.inserted, again.entries.refreshed, again.entries.deleted) == (0, 0, 0)
        with self._run_context() as run_context:
            proof = prove_source(run_context, self.name)
        assert proof.differences == []
        assert proof.hashed_documents == len(self.tree.documents)
        # Only texts of a batch that crashed are embedded more than once.
        assert max(self.embedder.embedded.values(), default=0) <= 1 + self.crashes

    # Checks.

    def _run_context(self) -> TreeRunContext:
        return make_run_context(
            self.database,
            self.home,
            self.tree,
            self.embedder,
            name=self.name,
            # The index follows the tree; held removals are tested in test_removals.
            max_removal_ratio=1.0,
        )

    def _help(self, failures: list[BaseException]) -> None:
        """Another process that shares the run's work and takes no lock."""
        try:
            with self._run_context() as run_context:
                read_documents(run_context, self.name)
                for stage in (build_chunks, embed_chunks, apply_entries):
                    stage(run_context, self.name)
        except BaseException as error:  # noqa: BLE001  shown where the test looks
            failures.append(error)

    def _pick(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.tree.documents)))

    def _write(self, name: str, content: str, readers: tuple[str, ...] | None) -> None:
        self.tree.write(name, content, readers)
        self.history.add((name, content))

    def _make_text(self, sentences: list[int]) -> str:
        # Words of this sequence only: the whole database shares vectors.
        return " ".join(
            f"In {self.name} the number {number} is written by itself and in no other text."
            for number in sentences
        )

    def _count_needed(self) -> int:
        """The distinct chunk texts of the tree that have no vector yet."""
        run_context = self._run_context()
        budget = run_context.configuration.collection(self.name).chunking
        texts = {
            chunk.embedded_text
            for name, document in self.tree.documents.items()
            for chunk in chunk_document(
                parse_record(FetchedDocument(name, b"", name, text=document.text)),
                budget,
                run_context.tokenizer("hash"),
            )
        }
        hashed = {entry for entry in texts if not self._has_vector(entry)}
        return len(hashed)

    def _has_vector(self, content: str) -> bool:
        statement = text(
            "select exists (select from ragline.embeddings where text_hash = sha256(:content))"
        )
        with self.database.connect() as connection:
            return bool(connection.execute(statement, {"content": content.encode()}).scalar_one())

    def _read_index(self) -> dict[str, tuple[str, tuple[str, ...] | None]]:
        """The joined text and the principals of each document in the live generation."""
        with self.database.connect() as connection:
            generations = [
                one for one in list_generations(connection, self.name) if one.state == "live"
            ]
            if not generations:
                return {}
            rows = connection.execute(
                text(
                    "select document_id, string_agg(text, ' ' order by ordinal) as content, "
                    "min(principals) as readers, count(distinct principals) as kinds, "
                    "count(distinct content_hash) as versions "
                    f"from ragline.entries_{generations[0].id} group by document_id"
                )
            ).all()
        assert all(row.versions == 1 and row.kinds <= 1 for row in rows)
        return {
            row.document_id: (row.content, None if row.readers is None else tuple(row.readers))
            for row in rows
        }

    def _check_whole_versions(self) -> None:
        """After any interruption, a search sees no half document and none that never existed."""
        index = self._read_index()
        for name, (content, _) in index.items():
            assert (name, content) in self.history
        # A document that has not changed since it was served is still served.
        for name, (content, _) in self.served.items():
            document = self.tree.documents.get(name)
            if document is not None and document.text == content:
                assert index[name][0] == content


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(4))
def test_index_follows_any_sequence_of_changes(
    part: int, database: Database, tmp_path: Path
) -> None:
    machine: Callable[[], Machine] = type(
        f"Machine{part}", (Machine,), {"database": database, "home": tmp_path}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // 4,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a sequence of syncs takes hours; the seed and the steps are printed anyway.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
