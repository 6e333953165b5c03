"""The previous release keeps working on a database that this code has migrated.

Its code is run as it was released, out of `tests/data/previous_release.tar.xz`, in processes of its
own; only the packages it depends on are those of today.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import time
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from ragline_home import Home

from ragline.storage.database import connect_database, read_url
from ragline.storage.migrations import SchemaRevision, read_revision

DATA = Path(__file__).parent.parent / "data"
CONFIGURATION = """\
collections:
  - name: notes
sources:
  - {name: note-files, collection: notes, kind: files, uri: ./notes}
  - {name: inbox, collection: notes, kind: push, visible_within: 1m, forgotten_within: 2m}
"""
QUESTIONS = ("when does the ferry leave", "who guards the lighthouse", "what does the harbour cost")


@pytest.fixture(scope="session")
def previous_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the previous release's packages, with the commands that it installs."""
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(DATA / "previous_release.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    points = project["entry-points"]["ragline.commands"]
    installed = folder / f"ragline-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Name: ragline\nVersion: {project['version']}\n", "utf-8")
    lines = ["[ragline.commands]", *(f"{name} = {value}" for name, value in points.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture
def empty_url(server: str) -> Iterator[str]:
    """A database that no release has seen."""
    name = f"released_{uuid.uuid4().hex[:12]}"
    url = read_url(server)
    arguments = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**arguments, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def this_release(tmp_path: Path, empty_url: str, model_cache: Path) -> Home:
    """The commands of this code over a folder of three notes."""
    (tmp_path / "ragline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "ferry.md").write_text("# Ferry\n\nThe ferry leaves at seven.\n", "utf-8")
    (notes / "lighthouse.md").write_text("# Lighthouse\n\nAda guards the lighthouse.\n", "utf-8")
    (notes / "fees.md").write_text("# Fees\n\nThe harbour costs nine coins a night.\n", "utf-8")
    (tmp_path / ".ragline").mkdir()
    model_cache.mkdir(exist_ok=True)
    (tmp_path / ".ragline" / "models").symlink_to(model_cache)
    return Home(tmp_path, empty_url)


@pytest.fixture
def old_release(this_release: Home, previous_release: Path) -> Home:
    """The previous release's commands over the same folder and database."""
    home = Home(this_release.folder, None)
    home.environment |= {
        "RAGLINE_DATABASE_URL": this_release.environment["RAGLINE_DATABASE_URL"],
        "PYTHONPATH": str(previous_release),
    }
    code = "import ragline, sql; print(ragline.__path__[0], sql.__path__[0])"
    found = subprocess.check_output(
        [sys.executable, "-c", code], env=home.environment, cwd=home.folder, text=True
    )
    assert found.split() == [str(previous_release / name) for name in ("ragline", "sql")]
    return home


@contextmanager
def serve(home: Home) -> Iterator[httpx2.Client]:
    """A running `ragline serve` of one release."""
    process = home.start("serve", "--port", "0")
    try:
        assert process.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert address is not None
        with httpx2.Client(base_url=address[0], timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=60)


def ask(client: httpx2.Client, question: str) -> list[str]:
    answer = client.post("/v1/search", json={"collection": "notes", "query": question})
    deadline = time.monotonic() + 120
    while answer.status_code == 503 and time.monotonic() < deadline:
        # It is still opening its database and its model.
        time.sleep(0.2)
        answer = client.post("/v1/search", json={"collection": "notes", "query": question})
    assert answer.status_code == 200, answer.text
    return [hit["document_id"] for hit in answer.json()["hits"]]


def push(client: httpx2.Client, document_id: str, text: str) -> None:
    answer = client.put(f"/v1/collections/notes/documents/{document_id}", json={"text": text})
    assert answer.status_code in (200, 201), answer.text


def read_states(home: Home) -> dict[str, str]:
    rows: list[dict[str, Any]] = [
        row
        for source in ("note-files", "inbox")
        for row in _read_lines(home.run("documents", source))
    ]
    return {row["document_id"]: row["state"] for row in rows}


def _read_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.timeout(900)
def test_previous_release_works_on_while_and_after_this_one_migrates(
    old_release: Home, this_release: Home, empty_url: str
) -> None:
    notes = this_release.folder / "notes"
    assert old_release.read("sync")["ok"]
    with serve(old_release) as old:
        assert ask(old, QUESTIONS[0])[0] == "ferry.md"
        # The old service holds the database open while the new release migrates and syncs.
        (notes / "ferry.md").write_text("# Ferry\n\nThe ferry leaves at eight.\n", "utf-8")
        assert this_release.read("sync")["ok"]
        assert ask(old, QUESTIONS[1])[0] == "lighthouse.md"
        push(old, "pushed-by-old", "The night watch starts at ten.")

        # A change, a removal and the pushed document, by the old release on the new schema.
        (notes / "fees.md").write_text("# Fees\n\nThe harbour costs twelve coins.\n", "utf-8")
        (notes / "lighthouse.md").unlink()
        report = old_release.read("sync")
        assert report["ok"], report
        assert report["sources"]["note-files"]["changed"] == 1
        assert report["sources"]["note-files"]["removed"] == 1
        assert report["sources"]["inbox"]["added"] == 1
        assert read_states(old_release) == {
            "lighthouse.md": "removed",
            "ferry.md": "ready",
            "fees.md": "ready",
            "pushed-by-old": "ready",
        }
        hits = old_release.read("search", "notes", QUESTIONS[2])["hits"]
        assert (hits[0]["document_id"], "twelve" in hits[0]["text"]) == ("fees.md", True)
        assert {row["source"] for row in old_release.read("status")["sources"]} == {
            "note-files",
            "inbox",
        }

        with serve(this_release) as new:
            ask(new, QUESTIONS[0])
            push(new, "pushed-by-new", "Nets are dried on the pier.")
            for question in QUESTIONS:
                found = ask(new, question)
                assert found == ask(old, question)
                assert "lighthouse.md" not in found
        assert this_release.read("sync")["ok"]
        assert ask(old, "where are the nets dried")[0] == "pushed-by-new"

    database = connect_database(empty_url)
    with database.connect() as connection:
        revision = read_revision(connection)
    database.engine.dispose()
    assert isinstance(revision, SchemaRevision)
    assert revision.breaking == "0005"
