"""For each kind of source, a small source on this machine whose documents a test can set."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from page_server import PageServer, serve_pages

from ragline.sources.push.operations import Delete, push_documents, put_text
from ragline.storage.database import Database

PERSON = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost"}
PERSON |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}


class FolderWorld:
    """A folder of text files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tree"
        self.settings: dict[str, Any] = {"uri": str(self.folder)}

    def write(self, documents: Mapping[str, str]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name, text in documents.items():
            (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")


class ConnectorWorld(FolderWorld):
    """A folder of text files, read by a connector."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = {"connector": "local", "index": {"input_path": str(self.folder)}}


class GitWorld:
    """A repository with one branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        self.settings: dict[str, Any] = {"uri": str(self.folder), "branch": "main"}

    def write(self, documents: Mapping[str, str]) -> None:
        for path in self.folder.glob("*.txt"):
            path.unlink()
        for name, text in documents.items():
            (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "next")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, env=os.environ | PERSON, check=True)


class RecordsWorld:
    """A file of JSON lines."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.jsonl"
        self.settings: dict[str, Any] = {"uri": str(self.path)}

    def write(self, documents: Mapping[str, str]) -> None:
        lines = [json.dumps({"_id": name, "text": text}) for name, text in documents.items()]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class PushWorld:
    """Texts that were pushed to Ragline."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings: dict[str, Any] = {}
        self._known: set[str] = set()

    def write(self, documents: Mapping[str, str]) -> None:
        gone = [Delete(name) for name in self._known - set(documents)]
        puts = [put_text(name, text) for name, text in documents.items()]
        push_documents(self.database, "s", [*puts, *gone])
        self._known = set(documents)


class SqlWorld:
    """A table in the same database as Ragline's tables."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._run("create table public.pages (id text primary key, body text)")
        self.settings: dict[str, Any] = {
            "url_variable": "PAGES_URL",
            "query": "select id, body from public.pages",
            "fields": {"id": "id", "text": "body"},
        }

    def write(self, documents: Mapping[str, str]) -> None:
        self._run("delete from public.pages")
        for name, text in documents.items():
            self._run(f"insert into public.pages values ('{name}', '{text}')")

    def _run(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.exec_driver_sql(statement)


class WebWorld:
    """A site whose start page leads to a page for each document."""

    def __init__(self, server: PageServer) -> None:
        self.server = server
        self.address = server.url
        self.settings: dict[str, Any] = {
            "start": [server.url],
            "requests_per_second": 1000,
            "attempts": 1,
        }

    def write(self, documents: Mapping[str, str]) -> None:
        for path in [path for path in self.server.pages if path != "/"]:
            del self.server.pages[path]
        links = "".join(f'<a href="/{name}">more</a>' for name in documents)
        self.server.pages["/"] = f"<p>The start page leads on.</p>{links}"
        for name, text in documents.items():
            self.server.pages[f"/{name}"] = f"<p>{text}</p>"


@contextmanager
def start_world(kind: str, folder: Path, database: Database) -> Iterator[Any]:
    """The world of a kind of source, with the environment variables that it needs."""
    if kind == "web":
        with serve_pages() as server:
            yield WebWorld(server)
        return
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PAGES_URL", database.url)
        worlds = {
            "files": lambda: FolderWorld(folder),
            "connector": lambda: ConnectorWorld(folder),
            "git": lambda: GitWorld(folder),
            "records": lambda: RecordsWorld(folder),
            "push": lambda: PushWorld(database),
            "sql": lambda: SqlWorld(database),
        }
        yield worlds[kind]()
