"""Values of a database that its driver cannot turn into one of Python's.

A driver raises for such a value and the whole result is lost. Here it becomes `Undecoded`, so
that its row alone fails. Known are psycopg and sqlite3; how rows of others are kept apart is
`sql_rows`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Types of Postgres whose text always is a value of Python.
_SAFE = frozenset({"bool", "bytea", "float4", "float8", "int2", "int4", "int8", "oid", "uuid"})
_TEXTS = frozenset({"bpchar", "char", "name", "text", "varchar"})
LONGEST_SPELLING = 200


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A value as the database spells it, and why it is no other."""

    spelling: str
    reason: str

    def __str__(self) -> str:
        return self.spelling


def keep_undecoded(connection: Any) -> None:
    """Let a connection of psycopg or sqlite3 give `Undecoded` instead of raising."""
    if isinstance(connection, sqlite3.Connection):
        connection.text_factory = _load_text
    elif type(connection).__module__.partition(".")[0] == "psycopg":
        _guard_loaders(connection)


def find_undecoded(value: Any) -> Undecoded | None:
    """The first such value in what a column holds, also in lists and ranges."""
    if isinstance(value, Undecoded):
        return value
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif hasattr(value, "lower_inc"):
        parts = (value.lower, value.upper)
    return next(filter(None, map(find_undecoded, parts)), None)


def _load_text(data: bytes) -> str | Undecoded:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return Undecoded(_spell(data), f"is not UTF-8 ({error.reason})")


def _spell(data: bytes) -> str:
    return data[:LONGEST_SPELLING].decode("utf-8", "backslashreplace").replace("\0", "\ufffd")


def _guard_loaders(connection: Any) -> None:
    adapters = connection.adapters
    is_unicode = connection.info.encoding == "utf-8"
    for known in list(adapters.types):
        if known.name in _SAFE or (known.name in _TEXTS and is_unicode):
            continue
        for oid in (known.oid, known.array_oid):
            loader = adapters.get_loader(oid, 0) if oid else None
            if loader is not None:
                adapters.register_loader(oid, _guard(loader))
    if not is_unicode:
        # What has no loader of its own, as an enumeration, is read as text.
        adapters.register_loader(0, _guard(adapters.get_loader(0, 0)))


def _guard(loader: Any) -> type[Any]:
    """A loader of psycopg that gives `Undecoded` where `loader` raises."""
    # psycopg is there when a connection of it is.
    from psycopg.adapt import Loader

    class Guarded(Loader):
        """Where the encoding of a database is not known, psycopg gives bytes: read as UTF-8."""

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._loader = loader(oid, context)

        def load(self, data: Any) -> Any:
            try:
                value = self._loader.load(data)
                return value.decode() if isinstance(value, bytes) else value
            except Exception as error:  # noqa: BLE001  whatever it is, it costs this value alone
                return Undecoded(_spell(bytes(data)), f"cannot be read: {error}")

    return Guarded
