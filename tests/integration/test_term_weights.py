"""The table of term weights equals the table of entries, and a search finds the same with both."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.search.candidates import choose_plan
from ragline.search.fusion import Leg
from ragline.search.legs import select_legs
from ragline.search.live_generation import read_live_generation
from ragline.search.messages import SearchRequest
from ragline.search.retrieval import Retrieval
from ragline.search.searcher import Searcher
from ragline.storage.database import Database

WORDS = ("ferry", "harbour", "night", "train", "glacier", "archive", "clock", "winter", "choir")
ENTRIES = "select id, principals, lexical::text, strip(tsv)::text from ragline.entries_1"
COPIES = "select id, principals, lexical::text, tsv::text from ragline.term_weights_1"


@pytest.fixture
def tree() -> TreeSource:
    pick = random.Random(5)  # noqa: S311  the same each time, not a secret
    tree = TreeSource()
    for number in range(60):
        chosen = " ".join(pick.choice(WORDS) for _ in range(pick.randint(3, 30)))
        principals = ("staff",) if number % 7 == 0 else None
        tree.write(f"note{number}", f"{chosen} ERR-40{number}", principals)
    return tree


@pytest.fixture
def open_run_context(
    database: Database, tmp_path: Path, tree: TreeSource
) -> Callable[..., TreeRunContext]:
    def open_with(**collection: Any) -> TreeRunContext:
        return make_run_context(database, tmp_path, tree, HashEmbedder(), collection=collection)

    return open_with


def count_differences(database: Database) -> tuple[int, int]:
    """The number of rows that only one of the tables has, and the number of term weights' rows."""
    with database.connect() as connection:
        differing = sum(
            len(connection.execute(text(f"{first} except {second}")).all())
            for first, second in ((ENTRIES, COPIES), (COPIES, ENTRIES))
        )
        rows = connection.exec_driver_sql("select count(*) from ragline.term_weights_1")
        return differing, rows.scalar_one()


def test_table_is_equal_after_each_kind_of_change(
    database: Database, tree: TreeSource, open_run_context: Callable[..., TreeRunContext]
) -> None:
    sync(open_run_context())
    assert count_differences(database)[0] == 0
    # A removal, a new text, a new document, and a document that others may read now.
    del tree.documents["note1"]
    tree.write("note2", "an entirely new text about a lighthouse")
    tree.write("note99", "one more " * 200)
    tree.write("note3", tree.documents["note3"].text, ("staff",))
    sync(open_run_context())
    differences, rows = count_differences(database)
    assert differences == 0
    with database.connect() as connection:
        entries = connection.exec_driver_sql("select count(*) from ragline.entries_1").scalar_one()
    assert rows == entries
    # The average length has changed, so all weights are computed again.
    with database.begin() as connection:
        connection.execute(text("update ragline.generations set weighted_length = 1"))
    sync(open_run_context())
    assert count_differences(database) == (0, rows)


def find_keyword_leg(database: Database, retrieval: Retrieval) -> Leg:
    with database.begin() as connection, retrieval.deadline.enforce(connection):
        planned = choose_plan(connection, retrieval)
        return select_legs(connection, retrieval, planned, *retrieval.queries, None).keyword


def test_both_tables_give_equal_hits(
    database: Database, open_run_context: Callable[..., TreeRunContext]
) -> None:
    run_context = open_run_context()
    sync(run_context)
    settings = run_context.configuration.collection("tree").search
    with database.connect() as connection:
        generation = read_live_generation(connection, "tree")
    assert generation.has_term_weights
    pick = random.Random(6)  # noqa: S311  the same each time, not a secret
    for turn in range(30):
        narrow = Retrieval(
            generation=generation,
            settings=settings.model_copy(update={"keyword_bound": pick.choice((1, 40, 900))}),
            mode="keyword",
            queries=(" ".join(pick.sample((*WORDS, "ERR-4012", "absent"), turn % 5 + 1)),),
            vectors=(None,),
            limit=20,
            ef_search=100,
            principals=(None, (), ("staff",))[turn % 3],
        )
        wide = replace(narrow, generation=replace(generation, has_term_weights=False))
        first, second = (find_keyword_leg(database, one) for one in (narrow, wide))
        assert first.ids.tolist() == second.ids.tolist()
        assert first.scores.tolist() == second.scores.tolist()
        assert first.best_score == second.best_score


def test_generation_of_an_earlier_release_is_searched_without_the_table(
    database: Database, open_run_context: Callable[..., TreeRunContext]
) -> None:
    run_context = open_run_context()
    sync(run_context)
    searcher = Searcher(database, run_context.configuration)
    request = SearchRequest("tree", "ferry harbour", mode="keyword")
    before = [(hit.document_id, hit.score) for hit in searcher.search(request).hits]
    with database.begin() as connection:
        for kind in ("inserted", "updated", "deleted"):
            connection.exec_driver_sql(f"drop trigger copy_{kind} on ragline.entries_1")
        connection.exec_driver_sql("drop table ragline.term_weights_1")
    assert [(hit.document_id, hit.score) for hit in searcher.search(request).hits] == before


def test_table_that_an_earlier_release_left_is_dropped_by_the_next_sync(
    database: Database, open_run_context: Callable[..., TreeRunContext]
) -> None:
    sync(open_run_context())
    sync(open_run_context(language="german"))
    with database.begin() as connection:
        connection.exec_driver_sql("drop table ragline.entries_1")
        connection.exec_driver_sql("update ragline.generations set state = 'dropped' where id = 1")
    sync(open_run_context(language="german"))
    with database.connect() as connection:
        found = connection.exec_driver_sql(
            "select to_regclass('ragline.term_weights_1') is null, "
            "to_regclass('ragline.term_weights_2') is null"
        ).one()
    assert tuple(found) == (True, False)
