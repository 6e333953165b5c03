"""For each stage, the work that is counted is the work that can be claimed.

Both have one definition in sql/work_left. Were they to differ, a worker would either stop too early
or wait for ever. Each test fills a database with rows in random states, and compares.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, text

from ragline.storage.database import Database
from ragline.storage.generation_tables import create_entries_table
from ragline.storage.statements import load_statement

SEEDS = range(6)
DOCUMENTS = 90
PARSES = 30
# Keys of both spaces and generations; the second one must not change any result.
BOTH = (1, 2)
STATES = ("pending", "ready", "failed", "quarantined", "unsupported", "missing", "removed")
ERRORS = (None, "ChunkingError", "DocumentUnreadableError")
WORDS = ("one", "two")

SHARED_ROWS = """
insert into ragline.collections (name) values ('c1'), ('c2');
insert into ragline.sources (collection_id, name, kind, visible_within, forgotten_within)
values (1, 's1', 'files', '1 h', '1 h'), (2, 's2', 'files', '1 h', '1 h');
insert into ragline.embedding_spaces (fingerprint, model, dimension, description)
values ('e1', 'm', 2, '{}'), ('e2', 'm', 2, '{}');
insert into ragline.generations
  (collection_id, embedding_space_id, chunker_fingerprint, chunking, language, state)
values (1, 1, 'k1', '{}', 'english', 'live'), (1, 2, 'k2', '{}', 'english', 'building');
"""
INSERT_PARSE = """
insert into ragline.parses (fingerprint, parser_fingerprint, file_type, text, elements)
values (:fingerprint, 'p1', 'text', '', '[]')
"""
INSERT_DOCUMENT = """
insert into ragline.documents (
  source_id, document_id, state, version, read_version, read_by, parse_id, parsed_content_hash,
  attributes_hash, error_name, next_attempt_at
)
values (
  :source_id, :document_id, :state, 'v2', :read_version, :read_by, :parse_id, :content_hash,
  :attributes_hash, :error_name, now() + make_interval(secs => :wait_s)
)
"""
INSERT_CHUNKING = """
insert into ragline.chunkings (parse_id, chunker_fingerprint, chunk_count)
values (:parse_id, :chunker_fingerprint, :chunk_count) returning id
"""
INSERT_CHUNK = """
insert into ragline.chunks (
  chunking_id, ordinal, header, text, text_hash, heading_path, char_start, char_end, token_count
)
values (
  :chunking_id, :ordinal, '', cast(:text as text), sha256(convert_to(cast(:text as text), 'UTF8')),
  '{}', 0, 1, :tokens
)
"""
INSERT_EMBEDDING = """
insert into ragline.embeddings (embedding_space_id, text_hash, embedding)
values (:space, sha256(convert_to(cast(:text as text), 'UTF8')), '[1,0]') on conflict do nothing
"""
INSERT_PLACEMENT = """
insert into ragline.placements (
  generation_id, document_key, chunking_id, content_hash, attributes_hash, entry_count,
  analysis_version
)
values (
  :generation_id, :document_key, :chunking_id, :content_hash, :attributes_hash, 1, :analysis_version
)
"""


@dataclass(frozen=True)
class Filled:
    """A database with random rows, and the parameters of the statements for its first source."""

    database: Database
    parameters: dict[str, Any]

    def count(self, name: str) -> int:
        with self.database.connect() as connection:
            return int(connection.execute(load_statement(name), self.parameters).scalar_one())

    def claim(self, connection: Connection, name: str, start: Any, **more: Any) -> list[Any]:
        """Every row that a worker claims, in batches of three, as (key, row)."""
        rows: list[Any] = []
        after = start
        while True:
            parameters = {**self.parameters, "after": after, "limit": 3, **more}
            batch = connection.execute(load_statement(name), parameters).all()
            if not batch:
                return rows
            rows += batch
            after = batch[-1].document_id if isinstance(start, str) else batch[-1].id


@pytest.fixture(params=SEEDS)
def filled(request: pytest.FixtureRequest, database: Database) -> Filled:
    chance = random.Random(request.param)  # noqa: S311  the seed makes a failure repeatable
    with database.begin() as connection:
        fill_tables(connection, chance)
    parameters: dict[str, Any] = {
        "source_id": 1,
        "collection_id": 1,
        "parser_fingerprint": "p1",
        "chunker_fingerprint": "k1",
        "generation_id": 1,
        "embedding_space_id": 1,
        "analysis_version": "a2",
        "failed_parses": chance.sample(range(1, PARSES), 3),
        "failed_documents": chance.sample(range(1, DOCUMENTS), 5),
    }
    return Filled(database, parameters)


def fill_tables(connection: Connection, chance: random.Random) -> None:
    """Rows in all combinations of what the conditions of the stages read, by chance."""

    def insert(statement: str, **values: Any) -> Any:
        return connection.execute(text(statement), values)

    connection.exec_driver_sql(SHARED_ROWS)
    for generation_id in BOTH:
        create_entries_table(connection, generation_id, 2)
    for number in range(1, PARSES + 1):
        insert(INSERT_PARSE, fingerprint=f"f{number}")
    chunkings = {
        parse_id: [
            fill_chunking(insert, chance, parse_id, chunker)
            for chunker in ("k1", "k2")
            if chance.random() < 0.6
        ]
        for parse_id in range(1, PARSES + 1)
    }
    fill_documents(insert, chance, chunkings)


def fill_chunking(
    insert: Callable[..., Any], chance: random.Random, parse_id: int, chunker: str
) -> int:
    """A chunking with up to three chunks, some of which have vectors; its key."""
    count = chance.randrange(4)
    key = insert(
        INSERT_CHUNKING, parse_id=parse_id, chunker_fingerprint=chunker, chunk_count=count
    ).scalar_one()
    for ordinal in range(count):
        words = f"text {chance.randrange(60)}"
        tokens = chance.randrange(1, 9)
        insert(INSERT_CHUNK, chunking_id=key, ordinal=ordinal, text=words, tokens=tokens)
        for space in BOTH:
            if chance.random() < 0.5:
                insert(INSERT_EMBEDDING, space=space, text=words)
    return int(key)


def fill_documents(
    insert: Callable[..., Any], chance: random.Random, chunkings: dict[int, list[int]]
) -> None:
    every_chunking = [one for each in chunkings.values() for one in each]
    for key in range(1, DOCUMENTS + 1):
        parse_id = chance.choice([None, *range(1, PARSES + 1)])
        insert(
            INSERT_DOCUMENT,
            source_id=chance.choice((1, 1, 1, 2)),
            document_id=f"d{key:03}",
            state=chance.choice(STATES),
            read_version=chance.choice((None, "v1", "v2")),
            read_by=chance.choice((None, "p0", "p1", "given")),
            parse_id=parse_id,
            content_hash=None if parse_id is None else chance.choice(WORDS),
            attributes_hash=chance.choice(WORDS),
            error_name=chance.choice(ERRORS),
            wait_s=chance.choice((-60.0, 60.0)),
        )
        own = chunkings.get(parse_id or 0, [])
        chosen = own if own and chance.random() < 0.7 else every_chunking
        for generation_id in BOTH:
            if chance.random() < 0.7:
                insert(
                    INSERT_PLACEMENT,
                    generation_id=generation_id,
                    document_key=key,
                    chunking_id=chance.choice(chosen),
                    content_hash=chance.choice(WORDS),
                    attributes_hash=chance.choice(WORDS),
                    analysis_version=chance.choice((None, "a1", "a2", "a2")),
                )


def test_unread_documents_are_claimed_as_counted(filled: Filled) -> None:
    with filled.database.begin() as connection:
        rows = filled.claim(connection, "lifecycle/claim_unread_documents", "")
        assert len({row.id for row in rows}) == len(rows)
        # The claim of this worker does not change the count of another one.
        assert filled.count("lifecycle/count_unread_documents") == len(rows) > 0


def test_unchunked_parses_are_claimed_as_counted(filled: Filled) -> None:
    with filled.database.begin() as connection:
        rows = filled.claim(connection, "lifecycle/claim_unchunked_parses", 0)
        assert len({row.id for row in rows}) == len(rows)
        assert filled.count("lifecycle/count_unchunked_parses") == len(rows) > 0


def test_outdated_documents_are_claimed_as_counted(filled: Filled) -> None:
    name = "lifecycle/claim_outdated_documents"
    with filled.database.begin() as connection:
        deletions = filled.claim(connection, name, 0, is_deletion=True)
        updates = filled.claim(connection, name, 0, is_deletion=False)
        keys = {row.id for row in (*deletions, *updates)}
        assert len(keys) == len(deletions) + len(updates)
        assert filled.count("lifecycle/count_outdated_documents") == len(keys) > 0
    assert all(row.chunking_id is None for row in deletions)
    assert all(row.chunking_id is not None for row in updates)


def test_unembedded_texts_are_requested_and_claimed_as_counted(filled: Filled) -> None:
    missing = filled.count("lifecycle/count_unembedded_texts")
    with filled.database.begin() as connection:
        made = connection.execute(
            load_statement("lifecycle/insert_embedding_requests"), filled.parameters
        )
        assert made.rowcount == missing > 0
    claimed: list[Any] = []
    with filled.database.begin() as connection:
        claim = load_statement("lifecycle/claim_embedding_requests")
        parameters = {**filled.parameters, "limit": 3, "is_own_only": True}
        while rows := connection.execute(claim, parameters).all():
            claimed += rows
    assert len({bytes(row.text_hash) for row in claimed}) == len(claimed) == missing
    assert all(row.text is not None for row in claimed)


def test_unindexed_documents_of_a_collection_are_those_of_its_sources(filled: Filled) -> None:
    of_source = filled.count("lifecycle/count_unindexed_of_source")
    assert filled.count("lifecycle/count_unindexed_documents") == of_source > 0


@pytest.mark.parametrize(
    ("claim", "start"),
    [("lifecycle/claim_unread_documents", ""), ("lifecycle/claim_unchunked_parses", 0)],
)
def test_claimed_rows_are_skipped_by_another_worker_until_they_are_released(
    filled: Filled, claim: str, start: str | int
) -> None:
    with filled.database.begin() as first, filled.database.begin() as second:
        parameters = {**filled.parameters, "after": start, "limit": 2}
        held = {row.id for row in first.execute(load_statement(claim), parameters)}
        others = {row.id for row in filled.claim(second, claim, start)}
        assert held
        assert not held & others
    with filled.database.begin() as third:
        assert {row.id for row in filled.claim(third, claim, start)} == held | others
