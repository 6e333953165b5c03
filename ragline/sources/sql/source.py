"""The rows of a query as documents, from any database that SQLAlchemy reaches.

What the columns mean is `record_fields`; how the database is reached is `sql_connection`.
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
from ragline.sources.json_values import spell_values
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.sql.connection import (
    BATCH_ROWS,
    FAILURES,
    connect_reading,
    explain_failure,
    make_rows,
    stream_rows,
)
from ragline.sources.sql.rows import (
    VALUE_FAULTS,
    FailedRow,
    is_fault_of_row,
    read_rows,
    read_rows_of,
)
from ragline.sources.sql.settings import SqlSettings
from ragline.sources.sql.undecoded_values import Undecoded, find_undecoded
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

# The document that rows without an id become, all together.
NO_ID = "(no id)"


class SqlSource:
    """The rows of one query."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._fields = settings.fields
        self._reading = fingerprint({"query": settings.query, "fields": self._fields.fingerprint})
        # Ids and the values that the database knows them by, or why they cannot be read.
        self._keys: dict[str, Any] = {}

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every row, in the database's order of ids.

        With `changed_at`, its value is the version, compared row by row: a row that is committed
        late with an early time counts as changed all the same. Rows without such a value, or
        all of them without such a column, are read and hashed. A row that cannot be read, and an
        id that is there twice, is a document that fails.

        Raises:
            SourceUnavailableError: the database does not answer, refuses the query, or there is
                no row with an id of its own.
        """
        with self._connect() as connection:
            if self._fields.changed_at is None:
                yield from self._list_hashed(connection)
            else:
                yield from self._list_dated(connection, self._fields.changed_at)

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named rows as they are now.

        Raises:
            SourceUnavailableError: as for a listing.
        """
        left = dict.fromkeys(document_ids)
        with self._connect() as connection:
            if any(name not in self._keys for name in left):
                self._read_keys(connection)
            for document_id in list(left):
                key = self._keys.get(document_id)
                if isinstance(key, _Fault):
                    del left[document_id]
                    yield FailedFetch(document_id, key.error)
            known = iter([self._keys[name] for name in left if name in self._keys])
            while batch := list(islice(known, BATCH_ROWS)):
                for document_id, row in self._select_rows(connection, batch).items():
                    if document_id in left:
                        del left[document_id]
                        yield self._read(document_id, row)
        for document_id in left:
            gone = DocumentUnreadableError("the row left the query's result")
            yield FailedFetch(document_id, gone)

    def probe(self) -> str:
        """With `changed_at`: how many rows there are, and the latest value; one short query.

        What it does not see is an old row that gets an earlier value than the latest, or none; a
        listing does. Without `changed_at`: a hash of all rows, which costs a pass over them.
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
                if not is_fault_of_row(error):
                    raise
                found = None
        if found is None:
            # One value spoils the latest of all.
            return self._hash_listing()
        return fingerprint({**found, "last": _spell_change(found["last"]), "as": self._reading})

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
            change = None if isinstance(row, _Fault) else row[changed_at]
            if isinstance(row, _Fault):
                yield self._describe(document_id, row)
            elif change is None:
                undated.add(document_id)
            else:
                version = f"{_spell_change(change)} {self._reading}"
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
            # Dated or removed since the first statement: the next listing says which.
            yield ListedDocument(document_id, "in change")

    def _describe(self, document_id: str, row: Mapping[str, Any] | _Fault) -> ListedDocument:
        if isinstance(row, _Fault):
            reason = fingerprint({"fault": str(row.error), "as": self._reading})
            return ListedDocument(document_id, f"unread {reason}")
        content = _spell_row(row)
        version = hash_bytes(self._reading.encode() + content).hex()
        return ListedDocument(document_id, version, len(content))

    def _read(
        self, document_id: str, row: Mapping[str, Any] | _Fault
    ) -> FetchedDocument | FailedFetch:
        limit = self._settings.max_document_bytes
        try:
            if isinstance(row, _Fault):
                raise row.error
            _refuse_undecoded(row)
            return self._fields.read_document(
                document_id, row, _spell_row(row), limit=limit, separator=";"
            )
        except DocumentError as error:
            return FailedFetch(document_id, error)
        except (*VALUE_FAULTS, RecursionError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            return FailedFetch(document_id, BrokenDocumentError(f"the row is no text: {reason}"))

    def _read_keys(self, connection: Connection) -> None:
        """Learn the keys of all rows: from a text alone nobody can tell a number from a text."""
        rows = self._rows()
        key = rows.c[self._fields.id]
        for _ in self._identify(read_rows(connection, select(key), key)):
            pass

    def _select_rows(
        self, connection: Connection, keys: Sequence[Any]
    ) -> dict[str, Mapping[str, Any] | _Fault]:
        """The rows of some keys by id."""
        rows = self._rows()
        found: dict[str, Mapping[str, Any] | _Fault] = {}
        key = rows.c[self._fields.id]
        for one in read_rows_of(connection, _select_all(rows), key, keys):
            document_id, row = self._name(one)
            found[document_id] = _repeated(document_id) if document_id in found else row
        return found

    def _rows(self) -> Subquery:
        return make_rows(self._settings.query, *self._fields.stated)

    def _identify(
        self, found: Iterable[Mapping[str, Any] | FailedRow]
    ) -> Iterator[tuple[str, Mapping[str, Any] | _Fault]]:
        """Yield each id once, with its row or why it has none; remember the keys.

        Raises:
            ValueError: no row has an id of its own: the fault is the query's.
        """
        self._keys = {}
        has_id, fault = False, None
        for document_id, same in groupby(map(self._name, found), key=itemgetter(0)):
            rows = [row for _, row in islice(same, 2)]
            is_repeated = len(rows) > 1 or document_id in self._keys
            row = rows[0]
            if is_repeated and not (isinstance(row, _Fault) and not row.has_id):
                row = _repeated(document_id)
            is_listed = document_id in self._keys
            if isinstance(row, _Fault):
                self._keys[document_id] = row
                fault = fault or row
            else:
                self._keys[document_id] = row[self._fields.id]
            has_id |= not isinstance(row, _Fault) or row.has_id
            if not is_listed:
                yield document_id, row
        if fault is not None and not has_id:
            self._keys = {}
            raise ValueError(str(fault.error))

    def _name(self, found: Mapping[str, Any] | FailedRow) -> tuple[str, Mapping[str, Any] | _Fault]:
        """The id of a row, and the row or what is wrong with it."""
        key = found.key if isinstance(found, FailedRow) else found[self._fields.id]
        try:
            document_id = _spell_key(key)
        except BrokenDocumentError as error:
            spelling = key.hex() if isinstance(key, bytes) else str(key)
            has_no_id = key is None or key == ""
            return NO_ID if has_no_id else clean_value(spelling), _Fault(error, has_id=False)
        if isinstance(found, FailedRow):
            return document_id, _Fault(BrokenDocumentError(found.reason))
        return document_id, found

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        url = self._settings.read_url()
        try:
            with connect_reading(url) as connection:
                yield connection
        except FAILURES as error:
            # Not `from` the cause: it may quote the address with its password.
            raise SourceUnavailableError(
                f"source {self._settings.name}: {self._settings.address} cannot be read: "
                f"{explain_failure(error, url)}"
            ) from None


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a row is no document. `has_id` says that the query at least names it."""

    error: DocumentError
    has_id: bool = True


def _select_all(rows: Subquery) -> Select[Any]:
    everything: Select[Any] = select(literal_column("*"))
    return everything.select_from(rows)


def _spell_key(key: Any) -> str:
    """The id that a key is.

    Raises:
        BrokenDocumentError: it is none.
    """
    if isinstance(key, Undecoded):
        raise BrokenDocumentError(f"its id {key.spelling!r} {key.reason}")
    if isinstance(key, Decimal) and key.is_finite() and key == key.to_integral_value():
        key = int(key)
    if key is None or key == "":
        raise BrokenDocumentError("there is a row whose id is null or empty")
    if isinstance(key, bool) or not isinstance(key, str | int | UUID):
        kind = type(key).__name__
        raise BrokenDocumentError(f"an id is a {kind}; cast it to a text in the query")
    return clean_value(str(key))


def _repeated(document_id: str) -> _Fault:
    reason = f"the id {document_id!r} is there more than once; make it unique in the query"
    return _Fault(DocumentUnreadableError(reason), has_id=False)


def _spell_row(row: Mapping[str, Any]) -> bytes:
    """The values as bytes; what cannot be spelled, as its Python form."""
    try:
        return spell_values(row)
    except (*VALUE_FAULTS, RecursionError):
        return repr(sorted(row)).encode("utf-8", "replace")


def _refuse_undecoded(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        found = find_undecoded(value)
        if found is not None:
            raise BrokenDocumentError(
                f"the column {name!r} holds {found.spelling!r}, which {found.reason}; correct it, "
                "or cast it to a text in the query"
            )


def _spell_change(value: Any) -> str:
    """A value of `changed_at`, whatever the time zone of the session is."""
    moment = read_timestamp(value) if isinstance(value, datetime) else None
    return str(value) if moment is None else moment.isoformat()
