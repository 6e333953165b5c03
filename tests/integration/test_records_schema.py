"""Records in the database: writes of version 0.2, and what is deleted."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from ragline.configuration import RetentionSettings
from ragline.lifecycle.retention import delete_expired
from ragline.search.client_hashes import ClientHashes
from ragline.search.recording import record_feedback
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The statements of version 0.2, unchanged.
OLD_REQUEST = """
insert into ragline.search_requests (
  id, collection, generation_id, query, mode, top_k, is_reranked, hit_count,
  embed_ms, retrieve_ms, rerank_ms, total_ms, hits
)
values (
  cast(:id as uuid), 'handbook', 1, 'leave', 'hybrid', 10, false, 2, 1, 2, 0, 3,
  cast(:hits as jsonb)
)
"""
OLD_FEEDBACK = """
insert into ragline.feedback (request_id, document_id, is_useful)
values (cast(:request_id as uuid), cast(:document_id as text), cast(:is_useful as boolean))
on conflict (request_id, document_id) do update
set is_useful = excluded.is_useful, given_at = now()
"""
HITS = (
    '[{"rank": 1, "score": 1.0, "document_id": "a", "entry_id": 11, "age_seconds": 1},'
    ' {"rank": 2, "score": 0.5, "document_id": "b", "entry_id": 12, "age_seconds": 1},'
    ' {"rank": 3, "score": 0.4, "document_id": "b", "entry_id": 13, "age_seconds": 1}]'
)


@pytest.fixture
def request_id(database: Database) -> UUID:
    """A search that version 0.2 wrote."""
    request_id = uuid4()
    with database.begin() as connection:
        connection.execute(text(OLD_REQUEST), {"id": request_id, "hits": HITS})
    return request_id


def read_kinds(connection: Connection) -> list[tuple[str, int | None, str, int | None]]:
    select = text(
        "select document_id, entry_id, kind, rank from ragline.given_feedback "
        "order by document_id, kind"
    )
    return [tuple(row) for row in connection.execute(select)]


def test_version_02_can_run_until_it_is_stopped(database: Database, request_id: UUID) -> None:
    with database.begin() as connection:
        for is_useful in (False, True):
            given = {"request_id": request_id, "document_id": "a", "is_useful": is_useful}
            connection.execute(text(OLD_FEEDBACK), given)
        record_feedback(connection, request_id, "click", document_id="b")
        assert read_kinds(connection) == [("a", None, "useful", None), ("b", 12, "click", 2)]
        given = record_feedback(connection, request_id, "not_useful", document_id="a")
        assert (given.entry_id, given.rank) == (11, 1)
        assert read_kinds(connection)[0] == ("a", None, "not_useful", 1)


def test_feedback_and_figures_are_deleted_with_the_searches(
    database: Database, request_id: UUID
) -> None:
    with database.begin() as connection:
        record_feedback(connection, request_id, "click", entry_id=13)
        ClientHashes().hash_client(connection, day_before(connection, 2), "a-client")
        ClientHashes().hash_client(connection, day_before(connection, 0), "a-client")
        keep = {"collection": "handbook", "day": "2026-03-01", "figures": "{}", "run_id": None}
        connection.execute(load_statement("quality/upsert_quality_figures"), keep)
    report = delete_expired(database, RetentionSettings())
    assert report.deleted["client_salts"] == 1
    assert (report.deleted["requests"], report.deleted["quality_figures"]) == (0, 0)
    report = delete_expired(database, RetentionSettings(requests=timedelta(0)))
    assert (report.deleted["requests"], report.deleted["quality_figures"]) == (1, 1)
    with database.connect() as connection:
        assert read_kinds(connection) == []


def day_before(connection: Connection, days: int) -> object:
    return connection.execute(
        text("select current_date - cast(:days as integer)"), {"days": days}
    ).scalar_one()


def test_hash_of_a_client_cannot_be_traced_without_its_salt(database: Database) -> None:
    with database.begin() as connection:
        today = day_before(connection, 0)
        first = ClientHashes().hash_client(connection, today, "a-client")
        assert ClientHashes().hash_client(connection, today, "a-client") == first
        connection.execute(text("delete from ragline.client_salts"))
        assert ClientHashes().hash_client(connection, today, "a-client") != first
