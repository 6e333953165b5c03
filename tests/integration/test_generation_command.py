"""`ragline generation promote` finds a generation by its id, or by the name of its collection."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from lifecycle_doubles import HashEmbedder, TreeSource, make_run_context, sync
from sqlalchemy import text

from ragline.commands.generation import generation, promote_target
from ragline.configuration import Configuration
from ragline.errors import UnknownGenerationError
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision
from ragline.storage.database import Database

ADA = Decision("ada", None)
# The collections of these tests are not in the configuration, so no golden set is asked for.
NOTHING = Configuration(collections=(), sources=(), home=Path("/nowhere"))


@pytest.fixture
def candidate(database: Database, tmp_path: Path) -> int:
    """The id of a candidate: 2."""
    tree = TreeSource()
    tree.write("harbour", "the ferry leaves at seven")
    sync(make_run_context(database, tmp_path, tree, HashEmbedder()))
    settings = {"language": "german", "build": "manual"}
    with make_run_context(
        database, tmp_path, tree, HashEmbedder(), collection=settings
    ) as run_context:
        return build_generation(run_context, "tree", ADA).generation


def rename_collection(database: Database, name: str) -> None:
    with database.begin() as connection:
        connection.execute(text("update ragline.collections set name = :name"), {"name": name})


def test_name_of_a_collection_that_is_also_an_id_is_ambiguous(database: Database, candidate: int):
    rename_collection(database, str(candidate))
    with pytest.raises(click.UsageError, match="also the id of a generation") as refused:
        promote_target(database, NOTHING, str(candidate), ADA)
    assert f"write 0{candidate};" in str(refused.value)
    assert promote_target(database, NOTHING, f"0{candidate}", ADA).generation == candidate


@pytest.mark.parametrize("name", ["2024", "9" * 30])
def test_digits_that_are_no_id_name_a_collection(database: Database, candidate: int, name: str):
    rename_collection(database, name)
    promotion = promote_target(database, NOTHING, name, ADA)
    assert (promotion.collection, promotion.generation) == (name, candidate)


def test_ids_beyond_the_largest_one_are_wrong_calls(database: Database):
    with pytest.raises(click.BadParameter, match="not in the range"):
        promote_target(database, NOTHING, str(2**63), ADA)
    with pytest.raises(UnknownGenerationError, match=f"no generation {2**63 - 1}"):
        promote_target(database, NOTHING, str(2**63 - 1), ADA)
    for command in ("show", "drop", "refuse"):
        result = CliRunner().invoke(generation, [command, str(2**63)])
        assert result.exit_code == 2
        assert "not in the range" in result.stderr
