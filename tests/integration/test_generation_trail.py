"""The database enforces the states of generations and their trail, whatever is written to it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifecycle_doubles import HashEmbedder, TreeSource, make_run_context, sync
from repetition_counts import choose_count
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ragline.lifecycle.generation_states import GENERATION_STATES, list_generation_pairs
from ragline.lifecycle.generations import name_change
from ragline.storage.database import Database

NUMBERS = itertools.count()
STEPS = st.lists(
    st.tuples(st.sampled_from(GENERATION_STATES), st.booleans()), min_size=1, max_size=12
)


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Database:
    tree = TreeSource()
    tree.write("harbour", "the ferry leaves at seven")
    sync(make_run_context(database, tmp_path, tree, HashEmbedder()))
    return database


def insert_generation(connection: Connection) -> int:
    statement = text(
        "insert into ragline.generations (collection_id, embedding_space_id, chunker_fingerprint, "
        "chunking, language, state) select collection_id, embedding_space_id, :chunker, chunking, "
        "language, 'building' from ragline.generations where id = 1 returning id"
    )
    return int(connection.execute(statement, {"chunker": f"c{next(NUMBERS)}"}).scalar_one())


def try_step(connection: Connection, generation: int, state: str, *, is_held: bool) -> bool:
    """Set the state and the hold of a generation; whether the database allowed it."""
    try:
        with connection.begin_nested():
            connection.execute(
                text(
                    "update ragline.generations set state = :state, "
                    "held_at = case when :is_held then now() end where id = :id"
                ),
                {"state": state, "is_held": is_held, "id": generation},
            )
    except DBAPIError:
        return False
    return True


@settings(
    max_examples=choose_count(100, 3_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_database_allows_the_declared_transitions_only_and_records_each(
    served: Database, steps: list[tuple[str, bool]]
):
    with served.begin() as connection:
        name_change(connection, "ada", "a test")
        generation = insert_generation(connection)
        state, expected = "building", [(None, "building")]
        for following, is_held in steps:
            is_declared = following == state or (state, following) in list_generation_pairs()
            is_allowed = is_declared and not (following == "live" and is_held)
            assert try_step(connection, generation, following, is_held=is_held) == is_allowed
            if is_allowed and following != state:
                expected.append((state, following))
                state = following
        rows = connection.execute(
            text(
                "select from_state, to_state, changed_by, reason from ragline.generation_events "
                "where generation_id = :id order by id"
            ),
            {"id": generation},
        ).all()
        assert [(row.from_state, row.to_state) for row in rows] == expected
        assert {(row.changed_by, row.reason) for row in rows} == {("ada", "a test")}


@pytest.mark.parametrize(
    "statement",
    [
        "update ragline.generation_events set changed_by = 'eve'",
        "delete from ragline.generation_events",
        "truncate ragline.generation_events",
    ],
)
def test_trail_is_append_only(served: Database, statement: str):
    with (
        pytest.raises(DBAPIError, match="generation_events is append-only"),
        served.begin() as connection,
    ):
        connection.execute(text(statement))
    with served.connect() as connection:
        rows = connection.execute(text("select changed_by from ragline.generation_events"))
        assert list(rows.scalars()) == ["run run", "run run"]


def test_change_without_a_name_has_the_user_of_the_database(served: Database):
    with served.begin() as connection:
        connection.execute(text("update ragline.generations set state = 'retired' where id = 1"))
    with served.connect() as connection:
        changed = connection.execute(
            text(
                "select changed_by, reason from ragline.generation_events order by id desc limit 1"
            )
        ).one()
        user = connection.execute(text("select current_user")).scalar_one()
    assert tuple(changed) == (f"database user {user}", None)


def test_name_of_a_change_ends_with_its_transaction(served: Database):
    with served.begin() as connection:
        name_change(connection, "ada", "a test")
        insert_generation(connection)
    with served.begin() as connection:
        insert_generation(connection)
        last = connection.execute(
            text("select changed_by from ragline.generation_events order by id desc limit 1")
        ).scalar_one()
    assert last.startswith("database user")


def test_state_is_one_of_the_declared_ones(served: Database):
    with pytest.raises(DBAPIError, match="state_check"), served.begin() as connection:
        connection.execute(
            text(
                "insert into ragline.generations (collection_id, embedding_space_id, "
                "chunker_fingerprint, chunking, language, state) select collection_id, "
                "embedding_space_id, 'c', chunking, language, 'ready' from ragline.generations"
            )
        )
