"""Random sequences of right and wrong settings, missing models, failed builds, waits and crashes.

Documents change and are removed between them. After each sync that could start, searches find what
the source contains, and no removed document.
With RAGLINE_SOAK set, thousands of sequences instead of some dozens.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

from ragline.embedder.space import EmbeddingSpace
from ragline.errors import ConfigurationError
from ragline.lifecycle import build_interruptions, embeddings
from ragline.lifecycle.index_report import IndexReport
from ragline.storage.database import Database

EXAMPLES = choose_count(16, 3_000)
STEPS = 14
# Far more than the few documents of a sequence need.
MAX_SLICES = 40
NAMES = st.sampled_from("abcde")
SENTENCES = st.lists(st.integers(0, 9), min_size=1, max_size=4)
MODELS = ("hash", "other", "misspelt")
LANGUAGES = ("english", "german", "englisch")
CHUNKS = (24, 16, 1_000)
WRONG: dict[str, Any] = {
    "embedding_model": "misspelt",
    "language": "englisch",
    "max_tokens": 1_000,
}
RIGHT: dict[str, Any] = {"embedding_model": "hash", "language": "english", "max_tokens": 24}


class Machine(RuleBasedStateMachine):
    """A tree, the settings of its collection, and what searches must find after each sync."""

    database: Database
    home: Path
    counts: Counter[str]
    numbers = itertools.count()

    @initialize(is_served=st.booleans())
    def begin(self, is_served: bool) -> None:
        self.name = f"tree-{next(self.numbers)}"
        self.tree = TreeSource()
        other = EmbeddingSpace("other", "1" * 64, 8, 256)
        self.known = {"hash": HashEmbedder(), "other": HashEmbedder(space=other)}
        self.gone: set[str] = set()
        self.settings = dict(RIGHT)
        self.tree.write("a", self._make_text([0]))
        self.tree.write("b", self._make_text([1, 2, 3]))
        if is_served:
            self.sync()

    # What happens to the documents.

    @rule(name=NAMES, sentences=SENTENCES)
    def write(self, name: str, sentences: list[int]) -> None:
        self.tree.write(name, self._make_text(sentences))

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        del self.tree.documents[data.draw(st.sampled_from(sorted(self.tree.documents)))]

    # What happens to the settings, and to what they name.

    @rule(model=st.sampled_from(MODELS))
    def name_model(self, model: str) -> None:
        self.settings["embedding_model"] = model

    @rule(language=st.sampled_from(LANGUAGES))
    def name_language(self, language: str) -> None:
        self.settings["language"] = language

    @rule(max_tokens=st.sampled_from(CHUNKS))
    def choose_chunks(self, max_tokens: int) -> None:
        self.settings["max_tokens"] = max_tokens

    @rule()
    def correct_settings(self) -> None:
        self.settings = dict(RIGHT)

    @rule(model=st.sampled_from(MODELS[:2]))
    def lose_or_find_model(self, model: str) -> None:
        self.gone ^= {model}

    @rule(model=st.sampled_from(MODELS[:2]))
    def break_or_repair_model(self, model: str) -> None:
        embedder = self.known[model]
        embedder.error = None if embedder.error else OSError("no space left on device")

    @rule()
    def let_a_day_pass(self) -> None:
        with self.database.begin() as connection:
            connection.execute(
                text(
                    "update ragline.generations set retired_at = retired_at - interval '25 hours' "
                    "where retired_at is not null"
                )
            )

    # What happens to a sync.

    @rule()
    def sync(self) -> None:
        self.counts["syncs"] += 1
        before = self._read_live()
        try:
            report = self._sync_to_the_end()
        except ConfigurationError:
            # Only a collection without a live generation is refused.
            assert before is None
            assert not self._is_satisfiable()
            self.counts["refused"] += 1
            return
        except OSError:
            # The first build of a collection: there is no live generation.
            assert before is None
            return
        self._check_index()
        self._check_generations()
        asked = self._is_asked()
        if asked:
            assert (report.is_live, report.error) == (True, None)
            assert self._read_live() == self._as_stated()
        self.counts["exact" if asked else "held back"] += 1

    @precondition(lambda self: self.tree.documents)
    @rule(data=st.data(), setting=st.sampled_from(sorted(WRONG)))
    def sync_with_a_wrong_setting(self, data: st.DataObject, setting: str) -> None:
        self.settings[setting] = WRONG[setting]
        self.delete(data)
        self.sync()

    @rule(model=st.sampled_from(MODELS[:2]), max_tokens=st.sampled_from(CHUNKS[:2]))
    def build_while_the_source_changes(self, model: str, max_tokens: int) -> None:
        """The source changes at each probe, so each run leaves its build to the next one."""
        self.settings = {**RIGHT, "embedding_model": model, "max_tokens": max_tokens}
        self.tree.is_restless = True
        self.sync()
        self.tree.is_restless = False

    @rule(statement=st.integers(1, 90))
    def crash(self, statement: int) -> None:
        with crash_at(self.database, statement):
            try:
                sync(self._run_context())
            except (Crash, ConfigurationError, OSError):
                self.counts["crashes"] += 1

    def teardown(self) -> None:
        if not hasattr(self, "tree"):
            return
        self.gone = set()
        for embedder in self.known.values():
            embedder.error = None
        # Each sequence ends in each way, whatever its steps were.
        self.build_while_the_source_changes("other", 16)
        self.settings = {**RIGHT, "language": "englisch"}
        self.sync()
        self.settings = dict(RIGHT)
        self.crash(20)
        self.sync()
        again = sync(self._run_context())
        assert (again.entries.inserted, again.entries.refreshed, again.entries.deleted) == (0, 0, 0)
        assert self._read_index() == self._read_tree()
        assert self._read("select build_error from ragline.collections where name = :name") == [
            None
        ]
        states = set(
            self._read(
                "select d.state from ragline.documents as d join ragline.sources as s "
                "on s.id = d.source_id where s.name = :name"
            )
        )
        assert states <= {"ready", "removed"}

    def _sync_to_the_end(self) -> IndexReport:
        """Like the sensor: the next run starts at once while a build is left."""
        for _ in range(MAX_SLICES):
            reports = sync(self._run_context())
            # The model of the live generation can be gone while the wanted generation is built.
            is_stopped = reports.index.error is not None and not self._is_asked()
            if not reports.entries.build_left or is_stopped:
                return reports.index
            self.counts["slices"] += 1
            self._check_index()
        raise AssertionError("the build does not come to its end")

    # Checks.

    def _check_index(self) -> None:
        index, tree = self._read_index(), self._read_tree()
        # After a sync no removed document is served, whatever is wrong.
        assert set(index) <= set(tree)
        live = self._read_live()
        if live is not None and self._is_usable(live[0]):
            assert index == tree

    def _check_generations(self) -> None:
        """Generations that no setting asks for are gone."""
        states = Counter(self._read(f"select g.state {OF_COLLECTION}"))
        assert states["live"] <= 1
        assert states["building"] <= 1
        assert states["abandoned"] == 0
        if self._read_live() == self._as_stated():
            assert states["building"] == 0
        named = {f"entries_{key}" for key in self._read(f"select g.id {OF_COLLECTION}{OPEN}")}
        all_ids = {f"entries_{key}" for key in self._read(f"select g.id {OF_COLLECTION}")}
        tables = set(self._read("select tablename::text from pg_tables where schemaname='ragline'"))
        assert tables & all_ids == named

    def _is_satisfiable(self) -> bool:
        model = self.settings["embedding_model"]
        return (
            model in self.known
            and model not in self.gone
            and self.settings["language"] != "englisch"
            and self.settings["max_tokens"] != 1_000
        )

    def _is_asked(self) -> bool:
        """Whether the settings ask for a generation that can be built now."""
        return self._is_satisfiable() and self._is_usable(self.settings["embedding_model"])

    def _is_usable(self, model: str) -> bool:
        return model not in self.gone and self.known[model].error is None

    def _as_stated(self) -> tuple[str, str, int]:
        stated = self.settings
        return stated["embedding_model"], stated["language"], stated["max_tokens"]

    def _run_context(self) -> TreeRunContext:
        collection = {
            "embedding_model": self.settings["embedding_model"],
            "language": self.settings["language"],
            "chunking": {"max_tokens": self.settings["max_tokens"], "overlap_tokens": 0},
        }
        models = {name: self.known[name] for name in self.known.keys() - self.gone}
        return make_run_context(
            self.database,
            self.home,
            self.tree,
            HashEmbedder(),
            name=self.name,
            collection=collection,
            models=models,
            max_removal_ratio=1.0,
        )

    def _make_text(self, sentences: list[int]) -> str:
        return " ".join(
            f"In {self.name} the number {number} is written by itself and in no other text."
            for number in sentences
        )

    def _read_tree(self) -> dict[str, str]:
        return {name: document.text for name, document in self.tree.documents.items()}

    def _read(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(text(statement), {"name": self.name}).scalars())

    def _read_live(self) -> tuple[str, str, int] | None:
        statement = text(
            "select e.model, g.language, (g.chunking ->> 'max_tokens')::int "
            f"{OF_COLLECTION} and g.state = 'live'"
        )
        with self.database.connect() as connection:
            row = connection.execute(statement, {"name": self.name}).first()
        return None if row is None else (row[0], row[1], row[2])

    def _read_index(self) -> dict[str, str]:
        live = self._read(f"select g.id {OF_COLLECTION} and g.state = 'live'")
        if not live:
            return {}
        with self.database.connect() as connection:
            rows = connection.execute(
                text(
                    "select document_id, string_agg(text, ' ' order by ordinal) as content "
                    f"from ragline.entries_{live[0]} group by document_id"
                )
            )
            return {row.document_id: row.content for row in rows}


OF_COLLECTION = (
    "from ragline.generations as g join ragline.collections as c on c.id = g.collection_id "
    "join ragline.embedding_spaces as e on e.id = g.embedding_space_id where c.name = :name"
)
OPEN = " and g.state <> 'dropped'"


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(2))
def test_no_sequence_of_settings_blocks_a_removal_or_a_change(
    part: int,
    database: Database,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build_interruptions, "MIN_BUILD_S", 0.0)
    monkeypatch.setattr(build_interruptions, "LOCAL_CHECK_INTERVAL_S", 0.0)
    monkeypatch.setattr(embeddings, "FIRST_BUILD_TEXTS", 1)
    monkeypatch.setattr(embeddings, "BUILD_BATCH_S", 0.0)
    monkeypatch.setattr(embeddings, "MIN_BUILD_TEXTS", 1)
    counts: Counter[str] = Counter()
    machine: Callable[[], Machine] = type(
        f"Settings{part}", (Machine,), {"database": database, "home": tmp_path, "counts": counts}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // 2,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a sequence of syncs takes hours; the seed and the steps are printed anyway.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
    record_property("counts", dict(counts))
    # Each way to end occurred; otherwise the test would prove less than it claims.
    held_back = counts["held back"] + counts["refused"]
    assert min(counts["exact"], counts["slices"], counts["crashes"], held_back) > 0
