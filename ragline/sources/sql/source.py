"""The source of kind `sql`: the rows of a query, from any database that SQLAlchemy supports.

`records.fields` describes the meaning of the columns. `connection` connects to the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import Subquery

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.fingerprints import fingerprint, hash_bytes
from ragline.sources.json_values import encode_values
from ragline.sources.protocol import FailedFetch, FetchResult, ListedDocument
from ragline.sources.sql.connection import (
    BATCH_ROWS,
    FAILURES,
    connect_reading,
    explain_failure,
    make_rows,
    stream_rows,
)
from ragline.sources.sql.rows import (
    VALUE_ERRORS,
    FailedRow,
    is_row_error,
    read_rows,
    read_rows_by_key,
)
from ragline.sources.sql.settings import SqlSettings
from ragline.sources.sql.undecoded_values import Undecoded, find_undecoded
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

# The id of one document that represents all rows without an id.
NO_ID = "(no id)"


class SqlSource:
    """A source whose documents are the rows of one query."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._fields = settings.fields
        self._fields_fingerprint = fingerprint(
            {"query": settings.query, "fields": self._fields.fingerprint}
        )
        # For each document id: the key of its row in the database, or the error of the row.
        self._keys: dict[str, Any] = {}

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every row, in the order of ids in the database.

        With the setting `changed_at`, the value of that column determines the version of a row. A
        row has changed if its value differs, even if the new value is an earlier time. Rows whose
        value is null are read and hashed, and they come last. Without the setting, all rows are
        read and hashed.

        An unreadable row is listed as a document, and so is an id that several rows have. The fetch
        of such a document fails.

        Raises:
            SourceUnavailableError: the database does not answer or refuses the query, or no row has
                a unique id.
        """
        with self._connect() as connection:
            if self._fields.changed_at is None:
                yield from self._list_hashed(connection)
            else:
                yield from self._list_dated(connection, self._fields.changed_at)

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the present state of the named rows.

        Raises:
            SourceUnavailableError: as in `list_documents`.
        """
        pending = dict.fromkeys(document_ids)
        with self._connect() as connection:
            if any(name not in self._keys for name in pending):
                self._read_keys(connection)
            for document_id in list(pending):
                key = self._keys.get(document_id)
                if isinstance(key, _RowError):
                    del pending[document_id]
                    yield FailedFetch(document_id, key.error)
            known = iter([self._keys[name] for name in pending if name in self._keys])
            while batch := list(islice(known, BATCH_ROWS)):
                for document_id, row in self._select_rows(connection, batch).items():
                    if document_id in pending:
                        del pending[document_id]
                        yield self._read(document_id, row)
        for document_id in pending:
            removed = DocumentUnreadableError("the query no longer returns the row")
            yield FailedFetch(document_id, removed)

    def probe(self) -> str:
        """A hash of all rows, or of their number and their latest time.

        Without the setting `changed_at`, all rows are read and hashed. With the setting, one short
        query reads the number of rows and their latest time. The query does not detect a row whose
        new time is earlier than the latest time of all rows. The query also does not detect a
        changed row whose time stays null. A listing detects both.

        Raises:
            SourceUnavailableError: the database does not answer or refuses the query.
        """
        if self._fields.changed_at is None:
            return self._hash_listing()
        rows = self._rows()
        changed_at = rows.c[self._fields.changed_at]
        counted = select(func.count().label("all"), func.count(changed_at).label("dated"))
        statement = counted.add_columns(func.max(changed_at).label("last")).select_from(rows)
        with self._connect() as connection:
            try:
                (found,) = stream_rows(connection, statement)
            except DBAPIError as error:
                if not is_row_error(error):
                    raise
                found = None
        if found is None:
            # The database cannot compute `max`, because one of the values is unreadable.
            return self._hash_listing()
        return fingerprint(
            {**found, "last": _encode_change(found["last"]), "as": self._fields_fingerprint}
        )

    def _hash_listing(self) -> str:
        digest = hashlib.sha256()
        for listed in self.list_documents():
            digest.update(f"{listed.document_id}\0{listed.version}\n".encode())
        return digest.hexdigest()

    def _list_hashed(self, connection: Connection) -> Iterator[ListedDocument]:
        rows = self._rows()
        found = read_rows(connection, _select_all(rows), rows.c[self._fields.id])
        for document_id, row in self._identify(found):
            yield self._describe(document_id, row)

    def _list_dated(self, connection: Connection, changed_at: str) -> Iterator[ListedDocument]:
        rows = self._rows()
        key = rows.c[self._fields.id]
        undated: set[str] = set()
        found = read_rows(connection, select(key, rows.c[changed_at]), key)
        for document_id, row in self._identify(found):
            change = None if isinstance(row, _RowError) else row[changed_at]
            if isinstance(row, _RowError):
                yield self._describe(document_id, row)
            elif change is None:
                undated.add(document_id)
            else:
                version = f"{_encode_change(change)} {self._fields_fingerprint}"
                yield ListedDocument(document_id, version, changed_at=read_timestamp(change))
        if undated:
            yield from self._list_undated(connection, rows, undated)

    def _list_undated(
        self, connection: Connection, rows: Subquery, undated: set[str]
    ) -> Iterator[ListedDocument]:
        assert self._fields.changed_at is not None
        is_undated = rows.c[self._fields.changed_at].is_(None)
        key = rows.c[self._fields.id]
        for found in read_rows(connection, _select_all(rows).where(is_undated), key):
            document_id, row = self._name(found)
            if document_id in undated:
                undated.remove(document_id)
                yield self._describe(document_id, row)
        for document_id in sorted(undated):
            # The row changed or was removed after the first statement. The next listing finds its
            # state.
            yield ListedDocument(document_id, "in change")

    def _describe(self, document_id: str, row: Mapping[str, Any] | _RowError) -> ListedDocument:
        if isinstance(row, _RowError):
            reason = fingerprint({"fault": str(row.error), "as": self._fields_fingerprint})
            return ListedDocument(document_id, f"unread {reason}")
        content = _encode_row(row)
        version = hash_bytes(self._fields_fingerprint.encode() + content).hex()
        return ListedDocument(document_id, version, len(content))

    def _read(self, document_id: str, row: Mapping[str, Any] | _RowError) -> FetchResult:
        limit = self._settings.max_document_bytes
        try:
            if isinstance(row, _RowError):
                raise row.error
            _refuse_undecoded(row)
            return self._fields.read_document(
                document_id, row, _encode_row(row), limit=limit, separator=";"
            )
        except DocumentError as error:
            return FailedFetch(document_id, error)
        except (*VALUE_ERRORS, RecursionError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            return FailedFetch(
                document_id, BrokenDocumentError(f"the row cannot be read as text: {reason}")
            )

    def _read_keys(self, connection: Connection) -> None:
        """Read the keys of all rows.

        A key cannot be made from a document id, because the id does not say which type the key has.
        """
        rows = self._rows()
        key = rows.c[self._fields.id]
        for _ in self._identify(read_rows(connection, select(key), key)):
            pass

    def _select_rows(
        self, connection: Connection, keys: Sequence[Any]
    ) -> dict[str, Mapping[str, Any] | _RowError]:
        """The rows with the given keys, by document id."""
        rows = self._rows()
        named: dict[str, Mapping[str, Any] | _RowError] = {}
        key = rows.c[self._fields.id]
        for found_row in read_rows_by_key(connection, _select_all(rows), key, keys):
            document_id, row = self._name(found_row)
            named[document_id] = _make_repeated_error(document_id) if document_id in named else row
        return named

    def _rows(self) -> Subquery:
        return make_rows(self._settings.query, *self._fields.required)

    def _identify(
        self, found: Iterable[Mapping[str, Any] | FailedRow]
    ) -> Iterator[tuple[str, Mapping[str, Any] | _RowError]]:
        """Yield each document id once, with its row or its error. Store the keys.

        Raises:
            ValueError: no row has a unique id, so the query is wrong.
        """
        self._keys = {}
        has_id, error = False, None
        for document_id, same in groupby(map(self._name, found), key=itemgetter(0)):
            rows = [row for _, row in islice(same, 2)]
            is_repeated = len(rows) > 1 or document_id in self._keys
            row = rows[0]
            if is_repeated and not (isinstance(row, _RowError) and not row.has_id):
                row = _make_repeated_error(document_id)
            is_listed = document_id in self._keys
            if isinstance(row, _RowError):
                self._keys[document_id] = row
                error = error or row
            else:
                self._keys[document_id] = row[self._fields.id]
            has_id |= not isinstance(row, _RowError) or row.has_id
            if not is_listed:
                yield document_id, row
        if error is not None and not has_id:
            self._keys = {}
            raise ValueError(str(error.error))

    def _name(
        self, found: Mapping[str, Any] | FailedRow
    ) -> tuple[str, Mapping[str, Any] | _RowError]:
        """The document id of a row, and the row or its error."""
        key = found.key if isinstance(found, FailedRow) else found[self._fields.id]
        try:
            document_id = _read_id(key)
        except BrokenDocumentError as error:
            text = key.hex() if isinstance(key, bytes) else str(key)
            has_no_id = key is None or key == ""
            return NO_ID if has_no_id else clean_value(text), _RowError(error, has_id=False)
        if isinstance(found, FailedRow):
            return document_id, _RowError(BrokenDocumentError(found.reason))
        return document_id, found

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        url = self._settings.read_url()
        try:
            with connect_reading(url) as connection:
                yield connection
        except FAILURES as error:
            # The cause is left out, because it can contain the URL with its password.
            raise SourceUnavailableError(
                f"source {self._settings.name}: {self._settings.address} cannot be read: "
                f"{explain_failure(error, url)}"
            ) from None


@dataclass(frozen=True, slots=True)
class _RowError:
    """Why a row cannot be read. `has_id` says whether the row has a valid id."""

    error: DocumentError
    has_id: bool = True


def _select_all(rows: Subquery) -> Select[Any]:
    columns: Select[Any] = select(literal_column("*"))
    return columns.select_from(rows)


def _read_id(key: Any) -> str:
    """The document id of a key.

    Raises:
        BrokenDocumentError: the key is not a valid id.
    """
    if isinstance(key, Undecoded):
        raise BrokenDocumentError(f"its id {key.text!r} {key.reason}")
    if isinstance(key, Decimal) and key.is_finite() and key == key.to_integral_value():
        key = int(key)
    if key is None or key == "":
        raise BrokenDocumentError("a row has an id that is null or empty")
    if isinstance(key, bool) or not isinstance(key, str | int | UUID):
        kind = type(key).__name__
        raise BrokenDocumentError(f"an id is of type {kind}; cast it to text in the query")
    return clean_value(str(key))


def _make_repeated_error(document_id: str) -> _RowError:
    reason = f"several rows have the id {document_id!r}; make it unique in the query"
    return _RowError(DocumentUnreadableError(reason), has_id=False)


def _encode_row(row: Mapping[str, Any]) -> bytes:
    """The values of a row as bytes.

    If the values cannot be encoded, they are the column names as bytes.
    """
    try:
        return encode_values(row)
    except (*VALUE_ERRORS, RecursionError):
        return repr(sorted(row)).encode("utf-8", "replace")


def _refuse_undecoded(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        found = find_undecoded(value)
        if found is not None:
            raise BrokenDocumentError(
                f"the column {name!r} contains {found.text!r}, which {found.reason}; correct it, "
                "or cast it to text in the query"
            )


def _encode_change(value: Any) -> str:
    """The value of `changed_at` as text. It does not depend on the session's time zone."""
    timestamp = read_timestamp(value) if isinstance(value, datetime) else None
    return str(value) if timestamp is None else timestamp.isoformat()
