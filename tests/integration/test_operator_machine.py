"""Random sequences of syncs, changes, crashes and decisions of an operator.

After each step one generation is live, it is the one that the last decision or the automatic
promotion made live, and searches find what the last sync read. The trail is complete.
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
    invariant,
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
from sqlalchemy import Row, text

from ragline.embedder.space import EmbeddingSpace
from ragline.errors import GenerationStateError, IncompleteGenerationError
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import (
    Decision,
    drop_by_decision,
    promote_by_id,
    promote_candidate,
    refuse_generation,
    roll_back,
)
from ragline.lifecycle.generation_states import list_generation_pairs
from ragline.storage.database import Database

ADA = Decision("ada")
REFUSALS = (GenerationStateError, IncompleteGenerationError)
CLOSED = ("refused", "abandoned", "dropped")


class Machine(RuleBasedStateMachine):
    """A tree, the settings of its collection, and an operator."""

    database: Database
    home: Path
    counts: Counter[str]
    numbers = itertools.count()

    @initialize()
    def begin(self) -> None:
        self.name = f"tree-{next(self.numbers)}"
        self.tree = TreeSource()
        self.tree.write("a", f"the first text of {self.name}")
        self.mode, self.model, self.language = "manual", "hash", "english"
        other = EmbeddingSpace("other", "1" * 64, 8, 256)
        self.models = {"hash": HashEmbedder(), "other": HashEmbedder(space=other)}
        self.synced: dict[str, str] = {}
        self.sync()

    @rule(name=st.sampled_from("abc"), number=st.integers(0, 9))
    def write(self, name: str, number: int) -> None:
        self.tree.write(name, f"the text {number} of {self.name}")

    @rule(
        mode=st.sampled_from(["manual", "manual", "automatic"]),
        model=st.sampled_from(["hash", "other"]),
        language=st.sampled_from(["english", "german"]),
    )
    def configure(self, mode: str, model: str, language: str) -> None:
        self.mode, self.model, self.language = mode, model, language

    @rule()
    def let_a_day_pass(self) -> None:
        with self.database.begin() as connection:
            connection.execute(
                text(
                    "update ragline.generations set retired_at = retired_at - interval '25 hours' "
                    "where retired_at is not null"
                )
            )

    @rule()
    def sync(self) -> None:
        before = self._read_held()
        report = sync(self._open()).index
        assert report.error is None
        self.synced = {name: document.text for name, document in self.tree.documents.items()}
        assert self._read_index() == self.synced
        # No sync has promoted what an operator decided against.
        (live,) = self._read_live()
        assert live.id not in before
        if self.mode == "automatic":
            assert report.is_live == (report.notice is None)
        self.counts["syncs"] += 1

    @rule(statement=st.integers(1, 80))
    def crash(self, statement: int) -> None:
        with crash_at(self.database, statement), self._open() as run_context:
            try:
                build_generation(run_context, self.name, ADA)
            except Crash:
                self.counts["crashes"] += 1

    @rule()
    def build(self) -> None:
        (before,) = self._read_live()
        with self._open() as run_context:
            report = build_generation(run_context, self.name, ADA)
        assert report.state in ("candidate", "live", "retired")
        assert self._read_live() == [before]
        self.counts[f"built {report.state}"] += 1

    @rule()
    def promote(self) -> None:
        self._decide(
            "promoted",
            lambda: promote_candidate(self.database, self._open().configuration, self.name, ADA),
        )

    @rule(data=st.data())
    def promote_one(self, data: st.DataObject) -> None:
        chosen = self._draw(data)
        self._decide(
            "promoted",
            lambda: promote_by_id(self.database, self._open().configuration, chosen, ADA),
        )

    @rule()
    def return_to_the_previous_one(self) -> None:
        (before,) = self._read_live()
        if self._decide("rolled back", lambda: roll_back(self.database, self.name, ADA)):
            assert before.id in self._read_held()

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        chosen = self._draw(data)
        self._decide("refused", lambda: refuse_generation(self.database, chosen, ADA))

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        chosen = self._draw(data)
        configuration = self._open().configuration
        self._decide("dropped", lambda: drop_by_decision(self.database, configuration, chosen, ADA))

    def teardown(self) -> None:
        """Each sequence ends with each decision, whatever its steps were."""
        if not hasattr(self, "synced"):
            return
        self.configure("manual", "hash", "french")
        self.crash(20)
        self.build()
        self.promote()
        self.return_to_the_previous_one()
        self.sync()
        self.promote()
        french = self._read(f"select max(g.id) as id {OF}")[0].id
        self._decide("dropped", lambda: drop_by_decision(
            self.database, self._open().configuration, french, ADA
        ))  # fmt: skip
        self.configure("manual", "hash", "spanish")
        self.build()
        spanish = self._read(f"select max(g.id) as id {OF}")[0].id
        self._decide("refused", lambda: refuse_generation(self.database, spanish, ADA))
        self.sync()
        self.one_generation_is_live_and_each_table_belongs_to_an_open_one()
        self.trail_is_complete()

    @invariant()
    def one_generation_is_live_and_each_table_belongs_to_an_open_one(self) -> None:
        if not hasattr(self, "synced") or not self.synced:
            return
        (live,) = self._read_live()
        statement = "select live_generation_id from ragline.collections where name = :name"
        assert [row[0] for row in self._read(statement)] == [live.id]
        assert live.held_at is None
        for row in self._read(
            f"select g.id, g.state, to_regclass('ragline.entries_' || g.id) as found {OF}"
        ):
            assert (row.found is None) == (row.state in CLOSED), row

    @invariant()
    def trail_is_complete(self) -> None:
        if not hasattr(self, "synced"):
            return
        for generation in self._read(f"select g.id, g.state {OF}"):
            events = self._read(
                "select from_state, to_state from ragline.generation_events "
                f"where generation_id = {generation.id} order by id"
            )
            assert events[0].from_state is None
            assert events[-1].to_state == generation.state
            pairs = {(one.from_state, one.to_state) for one in events[1:]}
            assert pairs <= list_generation_pairs()
            for one, following in itertools.pairwise(events):
                assert one.to_state == following.from_state

    def _decide(self, what: str, decide: Callable[[], object]) -> bool:
        """Whether the decision was possible. If it was not, nothing has changed."""
        before = self._read(f"select g.* {OF} order by g.id")
        try:
            decide()
        except REFUSALS:
            assert self._read(f"select g.* {OF} order by g.id") == before
            self.counts["impossible"] += 1
            return False
        self.counts[what] += 1
        return True

    def _draw(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from([row.id for row in self._read(f"select g.id {OF}")]))

    def _open(self) -> TreeRunContext:
        return make_run_context(
            self.database,
            self.home,
            self.tree,
            HashEmbedder(),
            name=self.name,
            collection={
                "build": self.mode, "embedding_model": self.model, "language": self.language,
            },
            models=self.models,
            max_removal_ratio=1.0,
        )  # fmt: skip

    def _read(self, statement: str) -> list[Row[Any]]:
        with self.database.connect() as connection:
            return list(connection.execute(text(statement), {"name": self.name}))

    def _read_live(self) -> list[Row[Any]]:
        return self._read(f"select g.id, g.held_at {OF} and g.state = 'live'")

    def _read_held(self) -> set[int]:
        return {row.id for row in self._read(f"select g.id {OF} and g.held_at is not null")}

    def _read_index(self) -> dict[str, str]:
        (live,) = self._read_live()
        rows = self._read(
            "select document_id, string_agg(text, ' ' order by ordinal) as content "
            f"from ragline.entries_{live.id} group by document_id"
        )
        return {row.document_id: row.content for row in rows}


OF = (
    "from ragline.generations as g join ragline.collections as c on c.id = g.collection_id "
    "where c.name = :name"
)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_no_sequence_of_decisions_breaks_the_states_of_generations(
    database: Database, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    counts: Counter[str] = Counter()
    machine: Callable[[], Machine] = type(
        "Decisions", (Machine,), {"database": database, "home": tmp_path, "counts": counts}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=choose_count(8, 2_000),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a sequence of syncs takes hours; the seed and the steps are printed anyway.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
    record_property("counts", dict(counts))
    # Each decision was possible at least once; otherwise the test would prove less than it claims.
    names = ("built candidate", "promoted", "rolled back", "refused", "dropped", "impossible")
    assert min(counts[name] for name in (*names, "crashes")) > 0, counts
