"""A search has one time limit for all of its statements and queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text

from ragline.configuration import Configuration
from ragline.embedder.embedder import Embedder
from ragline.errors import DatabaseUnavailableError, SearchTimeoutError
from ragline.lifecycle.run_context import RunContext
from ragline.search.deadline import Deadline
from ragline.search.messages import SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

CONFIGURATION = """
collections:
  - name: notes
    search: {feedback_weight: 0.5}
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
"""
LIMIT_MS = 1_000
STATEMENT_S = 0.15
# For a busy machine. Without the limit, each of these takes several seconds more.
SLACK_S = 2.0
WORDINGS = tuple(f"harbour number {number}" for number in range(16))


@pytest.fixture
def searcher(
    configure: Callable[[str], Configuration],
    make_run_context: Callable[..., RunContext],
    run_stages: Callable[[RunContext], object],
    embedder: Embedder,
    tmp_path: Path,
) -> Searcher:
    (tmp_path / "notes").mkdir()
    for number in range(8):
        (tmp_path / "notes" / f"{number}.md").write_text(f"# Harbour {number}\n\nA ferry.", "utf-8")
    run_context = make_run_context(configure(CONFIGURATION))
    run_stages(run_context)
    searcher = Searcher(run_context.database, run_context.configuration)
    searcher.models.add_embedder(embedder.space.model, embedder)
    # The first search prepares its statements, which is slow on a busy machine.
    searcher.search(SearchRequest("notes", "harbour"))
    searcher._timeout_ms = LIMIT_MS
    return searcher


@pytest.fixture
def slow_statements(database: Database) -> Iterator[list[str]]:
    """Makes each statement slow, but faster than the limit. The statements that were run."""
    run: list[str] = []

    def wait(*call: object) -> None:
        run.append(str(call[2]))
        time.sleep(STATEMENT_S)

    event.listen(database.engine, "before_cursor_execute", wait)
    yield run
    event.remove(database.engine, "before_cursor_execute", wait)


def test_many_statements_share_one_limit(searcher: Searcher, slow_statements: list[str]) -> None:
    request = SearchRequest("notes", WORDINGS[0], alternatives=WORDINGS[1:])
    started = time.monotonic()
    with pytest.raises(SearchTimeoutError, match=f"longer than {LIMIT_MS} ms"):
        searcher.search(request)
    # The limit is checked before each statement, so the last one may end after it.
    assert time.monotonic() - started < LIMIT_MS / 1e3 + SLACK_S
    assert len(slow_statements) < 12


def test_search_within_its_limit_is_answered_though_the_database_is_slow(
    searcher: Searcher, slow_statements: list[str]
) -> None:
    searcher._timeout_ms = 20_000
    answer = searcher.search(SearchRequest("notes", "harbour"))
    assert answer.hits
    assert slow_statements
    # The query for the live generation counts as database time, not as model time.
    assert answer.took_ms.embed < STATEMENT_S * 1e3
    assert answer.took_ms.retrieve >= STATEMENT_S * 1e3


@pytest.mark.parametrize("table", ["collections", "entries_1", "documents"])
def test_statement_that_waits_for_a_lock_ends_with_the_search(
    searcher: Searcher, database: Database, table: str
) -> None:
    with database.begin() as connection:
        connection.execute(text(f"lock table ragline.{table} in access exclusive mode"))
        started = time.monotonic()
        with pytest.raises(SearchTimeoutError):
            searcher.search(SearchRequest("notes", "harbour", highlight=True))
        assert time.monotonic() - started < LIMIT_MS / 1e3 + SLACK_S


def test_reranking_ends_with_the_search(searcher: Searcher, embedder: Embedder) -> None:
    class SlowReranker:
        name = "slow"

        def score_texts(self, _query: str, texts: list[str]) -> list[float]:
            time.sleep(0.3)
            return [0.0] * len(texts)

    searcher.models.add_reranker("late-interaction", embedder.space.model, SlowReranker())
    request = SearchRequest("notes", WORDINGS[0], alternatives=WORDINGS[1:], rerank=True)
    started = time.monotonic()
    with pytest.raises(SearchTimeoutError):
        searcher.search(request)
    assert time.monotonic() - started < LIMIT_MS / 1e3 + SLACK_S


def test_limit_is_stated_once_in_a_transaction_until_time_has_passed(database: Database) -> None:
    stated: list[str] = []

    def collect(*call: object) -> None:
        stated.append(str(call[2]))

    event.listen(database.engine, "before_cursor_execute", collect)
    try:
        deadline = Deadline(2_000)
        with database.connect() as connection, deadline.enforce(connection):
            for _ in range(3):
                deadline.limit_statements(connection)
            assert len(stated) == 1
            time.sleep(0.1)
            deadline.limit_statements(connection)
            assert len(stated) == 2
        # A limit ends with its transaction.
        with database.connect() as connection, deadline.enforce(connection):
            assert len(stated) == 3
    finally:
        event.remove(database.engine, "before_cursor_execute", collect)


def test_limit_counts_down_and_can_be_suspended() -> None:
    deadline = Deadline(800)
    with deadline.suspended():
        time.sleep(0.9)
    assert 0 < deadline.remaining_ms() <= 800
    time.sleep(0.9)
    with pytest.raises(SearchTimeoutError):
        deadline.remaining_ms()


def test_statement_without_an_answer_is_cancelled(
    searcher: Searcher, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server's limit does not end it, as when its answer is lost in the network.
    monkeypatch.setattr(Deadline, "limit_statements", lambda *_: None)
    with database.begin() as connection:
        connection.execute(text("lock table ragline.collections in access exclusive mode"))
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            searcher.search(SearchRequest("notes", "harbour"))
        assert LIMIT_MS / 1e3 < time.monotonic() - started < LIMIT_MS / 1e3 + 3
    monkeypatch.undo()
    assert searcher.search(SearchRequest("notes", "harbour")).hits
