"""Handles database values that the driver cannot convert to Python values.

A driver raises an error for such a value, and the whole result is lost. After `install_decoders`,
the driver returns the value as `Undecoded`, so only its row fails. This works for psycopg and
sqlite3. For other drivers, `rows` finds the rows with such values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Types of Postgres whose values Python can always represent.
_SAFE = frozenset({"bool", "bytea", "float4", "float8", "int2", "int4", "int8", "oid", "uuid"})
_TEXTS = frozenset({"bpchar", "char", "name", "text", "varchar"})
MAX_TEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A database value that could not be converted: its text, and the reason."""

    text: str
    reason: str

    def __str__(self) -> str:
        return self.text


def install_decoders(connection: Any) -> None:
    """Change a connection of psycopg or sqlite3.

    For a value that cannot be converted, it then returns `Undecoded` and raises no error.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.text_factory = _decode_text
    elif type(connection).__module__.partition(".")[0] == "psycopg":
        _wrap_loaders(connection)


def find_undecoded(value: Any) -> Undecoded | None:
    """The first `Undecoded` in the value of a column, or None if the value contains no `Undecoded`.

    Lists, mappings and ranges are searched too.
    """
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


def _decode_text(data: bytes) -> str | Undecoded:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return Undecoded(_decode_safely(data), f"is not UTF-8 ({error.reason})")


def _decode_safely(data: bytes) -> str:
    return data[:MAX_TEXT_CHARS].decode("utf-8", "backslashreplace").replace("\0", "\ufffd")


def _wrap_loaders(connection: Any) -> None:
    adapters = connection.adapters
    is_unicode = connection.info.encoding == "utf-8"
    for known in list(adapters.types):
        if known.name in _SAFE or (known.name in _TEXTS and is_unicode):
            continue
        for oid in (known.oid, known.array_oid):
            loader = adapters.get_loader(oid, 0) if oid else None
            if loader is not None:
                adapters.register_loader(oid, _wrap_loader(loader))
    if not is_unicode:
        # The loader with the oid 0 reads the types that have no loader, such as enumerations, as
        # text.
        adapters.register_loader(0, _wrap_loader(adapters.get_loader(0, 0)))


def _wrap_loader(loader: Any) -> type[Any]:
    """Make a loader of psycopg that returns `Undecoded` if `loader` raises an error."""
    # The package is installed, because a connection of psycopg exists.
    from psycopg.adapt import Loader

    class SafeLoader(Loader):
        """A loader that returns `Undecoded` for a value that cannot be converted.

        If the encoding of the database is unknown, psycopg returns bytes. They are read as UTF-8.
        """

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._loader = loader(oid, context)

        def load(self, data: Any) -> Any:
            try:
                value = self._loader.load(data)
                return value.decode() if isinstance(value, bytes) else value
            except Exception as error:  # noqa: BLE001  any error only affects this value
                return Undecoded(_decode_safely(bytes(data)), f"cannot be read: {error}")

    return SafeLoader
