"""Fixtures of the acceptance tests that begin with a synced collection and its golden set."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from checkout import Checkout, make_environment
from database_copies import DatabaseServer, SharedDatabase
from handbook_candidates import HANDBOOK
from planted_candidates import share_collection

from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext


@pytest.fixture(scope="session")
def synced_handbook(
    database_server: DatabaseServer,
    template: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
) -> SharedDatabase:
    """The collection `handbook`, synced once for all tests."""
    return share_collection(database_server, "handbook", template, HANDBOOK, embedder, run_stages)


@pytest.fixture
def checkout(
    tmp_path: Path,
    synced_handbook: SharedDatabase,
    database_server: DatabaseServer,
    model_cache: Path,
) -> Iterator[Checkout]:
    """A copy of the synced collection, with a database of its own."""
    shutil.copytree(synced_handbook.folder, tmp_path / "checkout")
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(model_cache)
    with database_server.copy(synced_handbook.name) as copy:
        yield Checkout(tmp_path / "checkout", make_environment(copy, home))
