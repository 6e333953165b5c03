"""Records wait in a bounded buffer; only records that do not fit are lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from ragline.search.messages import SearchAnswer, SearchRequest, StageTimes
from ragline.search.recording import RequestOrigin, SearchRecord, make_record
from ragline.storage.database import Database, connect_database
from retrieval_api.records.recorder import Recorder, RecordPendingError

NOWHERE = "postgresql://unknown@127.0.0.1:1/nothing"


def make(query: str = "leave", **row: object) -> SearchRecord:
    answer = SearchAnswer(
        uuid4(), "handbook", 1, (), StageTimes(1.0, 2.0, 0.0, 3.0), "f" * 16, "0.5.0"
    )
    record = make_record(answer, SearchRequest("handbook", query), RequestOrigin(client="a-client"))
    return replace(record, row={**record.row, **row})


def count_records(database: Database) -> int:
    with database.connect() as connection:
        counted = connection.execute(text("select count(*) from ragline.search_requests"))
        return int(counted.scalar_one())


def wait_until(is_true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


@contextmanager
def started(recorder: Recorder, database: Database) -> Iterator[Recorder]:
    recorder.start(database)
    try:
        yield recorder
    finally:
        recorder.stop()


@pytest.fixture
def recorder(database: Database) -> Iterator[Recorder]:
    with started(Recorder(), database) as recorder:
        yield recorder


def test_records_are_written_within_half_a_second(recorder: Recorder, database: Database) -> None:
    recorder.record(make())
    wait_until(lambda: count_records(database) == 1, 2)
    assert recorder.waiting_count == 0


def test_many_records_need_few_statements(
    recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    write = recorder._write
    monkeypatch.setattr(
        recorder, "_write", lambda to, batch: (batches.append(len(batch)), write(to, batch))
    )
    for _ in range(1_200):
        recorder.record(make())
    wait_until(lambda: recorder.waiting_count == 0)
    assert count_records(database) == recorder.written_count == 1_200
    assert len(batches) <= 6
    assert max(batches) <= 500


def test_adding_a_record_does_not_wait() -> None:
    recorder = Recorder()
    database = connect_database(NOWHERE)
    with started(recorder, database):
        began = time.perf_counter()
        for _ in range(1_000):
            recorder.record(make())
        assert time.perf_counter() - began < 10
        recorder._stopping_at = 0.0


def test_full_buffer_drops_the_newest_records_and_counts_them(
    caplog: pytest.LogCaptureFixture, database: Database
) -> None:
    recorder = Recorder(capacity=5)
    for number in range(8):
        recorder.record(make(f"query {number}"))
    assert recorder.waiting_count == 5
    assert recorder.lost_counts == {"full": 3, "refused": 0, "stopped": 0}
    lines = [record for record in caplog.records if record.message == "searches not recorded"]
    assert len(lines) == 1  # once a minute
    assert "query" not in str(vars(lines[0])["fields"])
    with started(recorder, database):
        wait_until(lambda: count_records(database) == 5)


def test_only_the_refused_record_is_lost(recorder: Recorder, database: Database) -> None:
    for number in range(20):
        recorder.record(make(mode=None) if number == 7 else make())
    wait_until(lambda: recorder.waiting_count == 0)
    assert count_records(database) == recorder.written_count == 19
    assert recorder.lost_counts["refused"] == recorder.failure_count == 1


def test_only_a_record_that_cannot_be_serialized_is_lost(
    recorder: Recorder, database: Database
) -> None:
    recorder.record(make(hits=[object()]))
    recorder.record(make())
    wait_until(lambda: recorder.waiting_count == 0)
    assert count_records(database) == 1


def test_records_survive_an_outage(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval_api.records.batch_writer.RETRY_S", 0.05)
    recorder = Recorder()
    hide, show = (
        "alter database {0} allow_connections false",
        "alter database {0} allow_connections true",
    )
    name = database.engine.url.database
    admin = connect_database(
        database.engine.url.set(database="postgres").render_as_string(hide_password=False)
    )
    try:
        with started(recorder, database):
            recorder.record(make())
            wait_until(lambda: recorder.waiting_count == 0)
            with admin.open_session() as session:
                session.execute(text(hide.format(name)))
                session.execute(
                    text(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = :n"
                    ),
                    {"n": name},
                )
                for _ in range(700):
                    recorder.record(make())
                time.sleep(0.5)
                assert recorder.waiting_count == 700
                session.execute(text(show.format(name)))
            wait_until(lambda: recorder.waiting_count == 0)
            assert count_records(database) == 701
            assert recorder.failure_count == 0
    finally:
        admin.engine.dispose()
        admin.sessions.dispose()


def test_stopping_writes_the_waiting_records(database: Database) -> None:
    recorder = Recorder()
    with started(recorder, database):
        for _ in range(900):
            recorder.record(make())
    assert count_records(database) == 900
    recorder.record(make())
    assert recorder.lost_counts["stopped"] == 1


def test_stopping_without_a_database_ends_and_counts_lost_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval_api.records.batch_writer.MAX_FLUSH_S", 0.3)
    monkeypatch.setattr("retrieval_api.records.batch_writer.RETRY_S", 0.05)
    recorder = Recorder()
    with started(recorder, connect_database(NOWHERE)):
        for _ in range(3):
            recorder.record(make())
    assert recorder.lost_counts["stopped"] == 3
    assert recorder.waiting_count == 0


def test_waiting_for_a_record_writes_it_at_once(
    recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval_api.records.batch_writer.MAX_DELAY_S", 30.0)
    record = make()
    recorder.record(record)
    recorder.wait_for(record.request_id)
    assert count_records(database) == 1


def test_waiting_for_a_record_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval_api.records.recorder.MAX_WAIT_S", 0.05)
    recorder = Recorder()
    record = make()
    recorder.record(record)
    with pytest.raises(RecordPendingError):
        recorder.wait_for(record.request_id)


def test_time_of_the_search_is_recorded_and_not_the_time_of_the_batch(
    recorder: Recorder, database: Database
) -> None:
    recorder.record(make(requested_at=datetime(2026, 3, 1, 12, tzinfo=UTC).isoformat()))
    wait_until(lambda: recorder.waiting_count == 0)
    with database.connect() as connection:
        select = text("select requested_at from ragline.search_requests")
        assert connection.execute(select).scalar_one() == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_processes_share_the_salt_of_a_day(database: Database) -> None:
    for _ in range(2):
        recorder = Recorder()
        with started(recorder, database):
            recorder.record(make())
    with database.connect() as connection:
        select = text("select count(*), count(distinct client) from ragline.search_requests")
        assert tuple(connection.execute(select).one()) == (2, 1)
