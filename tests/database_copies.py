"""Databases of the test server: copies, so that tests share work, and their settings."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url


@contextmanager
def copy_database(administration: psycopg.Connection, server: str, original: str) -> Iterator[str]:
    """Copy a database of the server; yield the address of the copy, and drop it at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    statement = f"create database {name} template {original} strategy file_copy"
    administration.execute(statement.encode())
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    administration.execute(f"drop database if exists {name} with (force)".encode())


def use_index_of_small_table(administration: psycopg.Connection, url: str) -> None:
    """Let new connections to a database use the vector index, even if a scan would be faster."""
    name = make_url(url).database
    administration.execute(f"alter database {name} set seq_page_cost = 100000".encode())
