"""The worker that reads documents: it fetches their bytes, parses them and records the results.

The file sql/work_left/unread_documents.sql defines which documents must be read. `ledger` records
the result in the row of a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    EmptyDocumentError,
    SourceUnavailableError,
)
from ragline.fingerprints import fingerprint, hash_bytes
from ragline.lifecycle import ledger
from ragline.lifecycle.claims import ClaimCursor, work_until_done
from ragline.lifecycle.ledger import UnreadDocument
from ragline.lifecycle.run_context import RunContext
from ragline.parsing.formats import parser_fingerprint
from ragline.parsing.front_matter import read_metadata
from ragline.parsing.parsed_document import Element, ParsedDocument
from ragline.sources.attributes import resolve_attributes
from ragline.sources.fetching import fetch_each_once
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import KINDS
from ragline.sources.settings import SourceSettings
from ragline.storage.database_errors import is_unstorable

# The value of `documents.read_by` if the source itself returned the text and no parser read it.
GIVEN = "given"


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """Counts of documents that were read, of documents whose bytes changed, and of bytes read."""

    documents: int
    changed: int
    bytes_read: int


def read_claimed_documents(
    run_context: RunContext, settings: SourceSettings, source_id: int, source: Source | None = None
) -> ReadCounts:
    """Read every document of a source that must be read, together with the other workers.

    If `source` is None, the function opens the source when there is a document to read.
    """
    parser = parser_fingerprint()
    with run_context.database.connect() as connection:
        unread = ledger.count_unread_documents(connection, source_id, parser)
    if unread == 0:
        return ReadCounts(0, 0, 0)
    opened = source or run_context.open_source(settings.name)
    worker = _DocumentWorker(run_context, settings, source_id, opened, parser)
    stage = run_context.progress.stage(f"{settings.name}: read", total=unread, unit="documents")
    with stage as advance:
        for count in work_until_done(worker.read_batch, worker.count_left):
            advance(count)
    return ReadCounts(worker.documents, worker.changed, worker.bytes_read)


@dataclass(frozen=True, slots=True)
class _ReadResult:
    """The result of reading one document.

    `result` is the parse or the error. It is None if the parse is already stored. `fetched` and
    `content_hash` are None if the source did not return the bytes.
    """

    document: UnreadDocument
    fetched: FetchedDocument | None
    content_hash: str | None
    result: ParsedDocument | DocumentError | None

    @property
    def is_changed(self) -> bool:
        """Whether the bytes differ from those of the last read."""
        known_hash = self.document.content_hash
        return None not in (known_hash, self.content_hash) and known_hash != self.content_hash


@dataclass
class _DocumentWorker:
    """A worker that reads a source in batches. Each batch is one claim and one transaction."""

    run_context: RunContext
    settings: SourceSettings
    source_id: int
    source: Source
    parser: str
    documents: int = 0
    changed: int = 0
    bytes_read: int = 0
    _cursor: ClaimCursor[UnreadDocument, str] = field(
        default_factory=lambda: ClaimCursor("", lambda unread: unread.document_id)
    )

    def count_left(self) -> int:
        with self.run_context.database.connect() as connection:
            return ledger.count_unread_documents(connection, self.source_id, self.parser)

    def read_batch(self) -> int:
        """Claim, read and record some documents; return their number."""
        limit = KINDS[self.settings.kind].claim_documents
        source_error = None
        with self.run_context.database.begin() as connection:
            claimed = self._cursor.fetch(
                lambda after: ledger.claim_unread_documents(
                    connection, self.source_id, self.parser, after, limit
                )
            )
            batch = _ReadBatch(self, connection, {unread.document_id: unread for unread in claimed})
            if claimed:
                self._record_all(connection, list(batch.read()))
                source_error = batch.source_error
        if source_error is not None:
            # The documents that were read are committed. The others wait until the source answers
            # again.
            raise source_error
        self.documents += len(claimed)
        return len(claimed)

    def parse_fingerprint(self, fetched: FetchedDocument, content_hash: str) -> str:
        """Return the key of a document's parse: a hash of the bytes and the parser.

        If the source itself returned the text, the key is a hash of title and text. The name of the
        file is not part of the key. So a renamed file keeps its parse and its embeddings, even if
        the new name has another ending.
        """
        if fetched.text is not None:
            return fingerprint({"title": fetched.title, "text": fetched.text})
        return fingerprint({"content": content_hash, "parser": self.parser})

    def _record_all(self, connection: Connection, results: Sequence[_ReadResult]) -> None:
        """Record a batch. If a document cannot be stored, only this document fails."""
        self.changed += sum(result.is_changed for result in results)
        try:
            with connection.begin_nested():
                for result in results:
                    self._record(connection, result)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            for result in results:
                self._record_one(connection, result)

    def _record_one(self, connection: Connection, result: _ReadResult) -> None:
        try:
            with connection.begin_nested():
                self._record(connection, result)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            refused = BrokenDocumentError(f"it contains what no database can store ({error})")
            self._record(connection, replace(result, result=refused))

    def _record(self, connection: Connection, result: _ReadResult) -> None:
        if isinstance(result.result, DocumentError):
            ledger.record_failure(
                connection,
                result.document,
                result.result,
                content_hash=result.content_hash,
                read_by=self.parser,
            )
        elif result.fetched is not None and result.content_hash is not None:
            self._record_parsed(connection, result, result.fetched, result.content_hash)

    def _record_parsed(
        self,
        connection: Connection,
        result: _ReadResult,
        fetched: FetchedDocument,
        content_hash: str,
    ) -> None:
        parse = self.parse_fingerprint(fetched, content_hash)
        read_by = self.parser if fetched.text is None else GIVEN
        if isinstance(result.result, ParsedDocument):
            ledger.store_parse(connection, parse, read_by, result.result)
        metadata = {**_own_metadata(fetched), **fetched.metadata}
        ledger.record_parsed(
            connection,
            result.document,
            content_hash=content_hash,
            fingerprint=parse,
            read_by=read_by,
            fetched=replace(fetched, metadata=metadata),
            attributes=resolve_attributes(
                self.settings, fetched.document_id, metadata, fetched.principals
            ),
        )


@dataclass
class _ReadBatch:
    """The claimed documents of one transaction, while they are fetched and parsed.

    `waiting` contains the documents that have no result yet, by id. `source_error` is the error of
    a source that stopped answering during the batch.
    """

    worker: _DocumentWorker
    connection: Connection
    waiting: dict[str, UnreadDocument]
    source_error: SourceUnavailableError | None = None
    _hashes: dict[str, str] = field(default_factory=dict)
    _unparsed: list[_ReadResult] = field(default_factory=list)

    def read(self) -> Iterator[_ReadResult]:
        """Yield the result of each document, in order of completion.

        If the source stops answering, the documents that it did not return get no result.
        """
        parsers = self.worker.run_context.parsers
        for fetched, result in parsers.parse_documents(self._fetch()):
            yield from self._pop_unparsed()
            yield self._make_result(fetched, result)
        yield from self._pop_unparsed()

    def _fetch(self) -> Iterator[FetchedDocument]:
        """Yield the documents that must be parsed. Store the results of the others."""
        try:
            for fetched in fetch_each_once(self.worker.source, list(self.waiting)):
                if isinstance(fetched, FailedFetch):
                    document = self.waiting.pop(fetched.document_id)
                    self._unparsed.append(_ReadResult(document, None, None, fetched.error))
                    continue
                self.worker.bytes_read += len(fetched.content)
                content_hash = hash_bytes(fetched.content).hex()
                self._hashes[fetched.document_id] = content_hash
                if fetched.text is not None:
                    self._unparsed.append(self._make_result(fetched, parse_record(fetched)))
                elif self._has_parse(fetched, content_hash):
                    self._unparsed.append(self._make_result(fetched, None))
                else:
                    yield fetched
        except SourceUnavailableError as error:
            self.source_error = error

    def _has_parse(self, fetched: FetchedDocument, content_hash: str) -> bool:
        parse = self.worker.parse_fingerprint(fetched, content_hash)
        return ledger.has_parse(self.connection, parse)

    def _pop_unparsed(self) -> list[_ReadResult]:
        results, self._unparsed = self._unparsed, []
        return results

    def _make_result(
        self, fetched: FetchedDocument, result: ParsedDocument | DocumentError | None
    ) -> _ReadResult:
        if isinstance(result, ParsedDocument) and not result.text.strip():
            result = EmptyDocumentError("the document contains no text")
        document = self.waiting.pop(fetched.document_id)
        return _ReadResult(document, fetched, self._hashes.pop(fetched.document_id), result)


def _own_metadata(fetched: FetchedDocument) -> dict[str, Any]:
    """Return the metadata that the file itself contains; empty if the source returned the text."""
    return {} if fetched.text is not None else read_metadata(fetched.content, fetched.name)


def parse_record(fetched: FetchedDocument) -> ParsedDocument:
    """Return the text that the source itself returned, as a parse with one element."""
    text = fetched.text or ""
    return ParsedDocument(
        text=text,
        elements=(Element("text", 0, len(text)),),
        file_type="record",
        title=fetched.title,
    )
