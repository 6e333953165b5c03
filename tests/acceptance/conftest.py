"""Fixtures of the acceptance tests that begin with a synced collection and its golden set."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from checkout import Checkout, make_environment
from database_copies import copy_database
from handbook_candidates import HANDBOOK
from planted_candidates import sync_collection
from sqlalchemy import make_url

from ragline.embedder.embedder import Embedder
from ragline.lifecycle.run_context import RunContext


@pytest.fixture(scope="session")
def synced_handbook(
    tmp_path_factory: pytest.TempPathFactory,
    administration: psycopg.Connection,
    server: str,
    template: str,
    embedder: Embedder,
    run_stages: Callable[[RunContext], object],
) -> Iterator[tuple[Path, str]]:
    """The folder of the collection `handbook`, and the address of its synced database."""
    folder = tmp_path_factory.mktemp("handbook")
    databases = (administration, server, template)
    with sync_collection(folder, HANDBOOK, databases, embedder, run_stages) as url:
        yield folder, url


@pytest.fixture
def checkout(
    tmp_path: Path,
    synced_handbook: tuple[Path, str],
    administration: psycopg.Connection,
    server: str,
    model_cache: Path,
) -> Iterator[Checkout]:
    """A copy of the synced collection, with a database of its own."""
    folder, url = synced_handbook
    shutil.copytree(folder, tmp_path / "checkout")
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(model_cache)
    with copy_database(administration, server, str(make_url(url).database)) as copy:
        yield Checkout(tmp_path / "checkout", make_environment(copy, home))
