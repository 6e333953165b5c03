"""A table in the test's Postgres with two rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ragline.storage.database import Database

CREATE = "create table public.pages (id int primary key, body text, changed_at timestamptz)"
INSERT = "insert into public.pages values (1, 'alpha', now()), (2, 'beta', now())"


class Case:
    def __init__(self, database: Database) -> None:
        self.database = database
        self._run(CREATE)
        self._run(INSERT)
        self.settings: dict[str, Any] = {
            "url_variable": "PAGES_URL",
            "query": "select id, body, changed_at from public.pages",
            "fields": {"id": "id", "text": "body", "changed_at": "changed_at"},
        }

    def edit(self) -> None:
        self._run("update public.pages set body = 'gamma', changed_at = now() where id = 1")

    def empty(self) -> None:
        self._run("delete from public.pages")

    def restore(self) -> None:
        self._run(INSERT)

    def go_away(self) -> None:
        self._run("drop table public.pages")

    def _run(self, statement: str) -> None:
        with self.database.begin() as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def start(folder: object, database: Database) -> Iterator[Case]:  # noqa: ARG001
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PAGES_URL", database.url)
        yield Case(database)
