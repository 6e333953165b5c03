"""Databases of the test server: copies, so that tests share work, and their settings."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url


@dataclass(frozen=True)
class SharedDatabase:
    """A database with rows, and the folder of the files from which they were made."""

    folder: Path
    url: str

    @property
    def name(self) -> str:
        return read_database_name(self.url)


@dataclass(frozen=True)
class DatabaseServer:
    """The Postgres of the tests, and a connection that creates and drops databases on it.

    `make_folder` makes a folder by its name, once for all workers that use the same server.
    """

    url: str
    administration: psycopg.Connection
    make_folder: Callable[[str, Callable[[Path], None]], Path]

    def create(self, original: str, prefix: str = "test") -> str:
        """Copy a database; return the address of the copy.

        Copying the files takes half the time of the default, which writes each page to the log.
        """
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        statement = f"create database {name} template {original} strategy file_copy"
        self.administration.execute(statement.encode())
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        self.administration.execute(f"drop database if exists {name} with (force)".encode())

    def use_index_of_small_table(self, url: str) -> None:
        """Let new connections use the vector index, even if a scan would be faster."""
        name = read_database_name(url)
        self.administration.execute(f"alter database {name} set seq_page_cost = 100000".encode())

    @contextmanager
    def copy(self, original: str) -> Iterator[str]:
        """Copy a database; yield the address of the copy, and drop it at the end."""
        url = self.create(original)
        yield url
        self.drop(read_database_name(url))

    def share(self, name: str, original: str, fill: Callable[[Path, str], None]) -> SharedDatabase:
        """Make a database with its folder once. `fill` writes the files and the rows.

        No connection to the database stays open, so that it can be copied.
        """

        def fill_folder(folder: Path) -> None:
            url = self.create(original, name)
            (folder / "files").mkdir()
            fill(folder / "files", url)
            (folder / "address").write_text(url, encoding="utf-8")

        folder = self.make_folder(f"database-{name}", fill_folder)
        return SharedDatabase(folder / "files", (folder / "address").read_text("utf-8"))


def read_database_name(url: str) -> str:
    """Return the name of the database at an address."""
    return str(make_url(url).database)
