"""The commands of the runbooks are run as they stand there, over a small home that is served."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx2
import pytest
from ragline_home import Home
from runbook_pages import RUNBOOKS, SEQUENCES, list_commands

from ragline.configuration import load_configuration
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.chunks import build_chunks
from ragline.lifecycle.documents import sync_documents
from ragline.lifecycle.embeddings import embed_chunks
from ragline.lifecycle.entries import apply_entries
from ragline.lifecycle.generation_builds import build_generation
from ragline.lifecycle.generation_decisions import Decision, promote_by_id
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.search_index import publish_index
from ragline.storage.database import open_database

# The machine may be doing other things.
pytestmark = pytest.mark.timeout(900)
CONFIGURATION = """\
collections:
  - name: handbook
sources:
  - {name: handbook-files, collection: handbook, kind: files, uri: ./handbook}
"""
SERVICE = "localhost:8000"


PAGES = [page for page in RUNBOOKS.glob("*.md") if page.stem not in SEQUENCES]
COMMANDS = sorted({line for page in PAGES for line in list_commands(page)})


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
    copy_prepared_home: Callable[[Path], None],
    embedder: Embedder,
) -> Iterator[tuple[Home, str]]:
    """A synced home on an embedded Postgres of its own, and the address of its service."""
    folder = tmp_path_factory.mktemp("runbooks")
    (folder / "ragline.yaml").write_text(CONFIGURATION, "utf-8")
    (folder / "handbook").mkdir()
    for number in range(3):
        (folder / "handbook" / f"{number}.md").write_text(
            f"# Rule {number}\n\nBe quiet.\n", "utf-8"
        )
    copy_prepared_home(folder / ".ragline")
    home = Home(folder, None)
    home.environment.pop("RAGLINE_DATABASE_URL", None)
    sync_once(folder, embedder)
    process = home.start("serve", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr as log:
        address = re.search(r"127\.0\.0\.1:\d+", log.readline())
        # A full pipe would stop it.
        reader = Thread(target=log.read)
        reader.start()
        try:
            assert address is not None
            wait_until_ready(address[0])
            yield home, address[0]
        finally:
            process.terminate()
            reader.join(60)


def sync_once(folder: Path, embedder: Embedder) -> None:
    """All stages in this process: a run of Dagster takes longer and is among the commands."""
    configuration = load_configuration(folder / "ragline.yaml")
    with (
        open_database(configuration) as database,
        RunContext(configuration, database, "run-1") as run_context,
    ):
        run_context.models.add_embedder(embedder.space.model, embedder)
        for stage in (sync_documents, build_chunks, embed_chunks, apply_entries):
            stage(run_context, "handbook-files")
        publish_index(run_context, "handbook")


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 120
    while httpx2.get(f"http://{address}/readyz", timeout=30).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 10


def build_second_generation(folder: Path, embedder: Embedder) -> int:
    """Have a second generation live, and the first one retired; return the id of the second."""
    text = CONFIGURATION.replace("name: handbook\n", "name: handbook\n    language: german\n", 1)
    (folder / "german.yaml").write_text(text, "utf-8")
    configuration = load_configuration(folder / "german.yaml")
    decision = Decision("test")
    with (
        open_database(configuration) as database,
        RunContext(configuration, database, f"build-{uuid4()}") as run_context,
    ):
        run_context.models.add_embedder(embedder.space.model, embedder)
        generation = build_generation(run_context, "handbook", decision)
        if generation.state != "live":
            promote_by_id(database, configuration, generation.generation, decision)
    return generation.generation


@pytest.mark.parametrize("line", COMMANDS)
def test_command_of_a_runbook_works(
    served: tuple[Home, str], embedder: Embedder, line: str
) -> None:
    home, address = served
    if line.startswith("ragline generation"):
        second = build_second_generation(home.folder, embedder)
        line = re.sub(r"(show|promote) 2", rf"\1 {second}", line)
        if "promote" in line:
            home.run("generation", "rollback", "handbook")
    words = shlex.split(line.replace(SERVICE, address))
    if words[0] == "ragline":
        words = [sys.executable, "-m", *words]
    if words[0] == "curl":
        words[1:1] = ["--fail"]
    done = subprocess.run(
        words,
        cwd=home.folder,
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() or "quarantine" in words
