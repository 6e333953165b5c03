"""The worker that replaces the entries of outdated documents in one generation.

A transaction replaces all entries of a document. So a search finds either the old or the new
entries of a document, and never a mixture. The file sql/work_left/outdated_documents.sql defines
which documents are outdated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import BrokenDocumentError, MissingEmbeddingError
from ragline.lifecycle.claims import ClaimCursor, work_until_done
from ragline.lifecycle.generations import Generation, lock_generation
from ragline.lifecycle.ledger import record_indexing_failure
from ragline.lifecycle.source_stage import Stage
from ragline.storage.database_errors import describe_reason, is_unstorable
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.text_analysis import RAW, analyze_text

# A transaction writes about this number of entries, so that readers and vacuum do not wait long.
COMMIT_ENTRIES = 1_000
CLAIM_DOCUMENTS = 500


@dataclass(frozen=True, slots=True)
class OutdatedDocument:
    """A document whose entries in a generation differ from the ledger.

    Its new entries are made from the chunks of `chunking_id`. If `chunking_id` is None, its entries
    must be deleted. If `has_same_chunks` is true, texts and vectors are unchanged, and only other
    columns differ.
    """

    id: int
    document_id: str
    chunking_id: int | None
    chunk_count: int
    has_same_chunks: bool


def _new_cursor() -> ClaimCursor[OutdatedDocument, int]:
    return ClaimCursor(0, lambda document: document.id)


@dataclass
class EntryWriter:
    """A worker that writes the entries of a source in one generation.

    If the database refuses an entry of a document, this document fails, and the other documents are
    written. While another generation is live, the build fails instead, because the live generation
    still serves the document.
    """

    stage: Stage
    generation: Generation
    inserted: int = 0
    refreshed: int = 0
    deleted: int = 0
    _failed_documents: dict[int, BrokenDocumentError] = field(default_factory=dict)
    _deletions: ClaimCursor[OutdatedDocument, int] = field(default_factory=_new_cursor)
    _updates: ClaimCursor[OutdatedDocument, int] = field(default_factory=_new_cursor)

    def write_all(self, should_pause: Callable[[], bool]) -> None:
        """Delete the entries of removed documents, then write those of other outdated documents.

        Raises:
            BrokenDocumentError: another generation is live, and the database refused entries of
                some documents. All other documents are written.
        """
        outdated = self.count_left()
        if outdated == 0:
            return
        batches = self._write_batches(should_pause)
        self.stage.show_batches(batches, "index", total=outdated, unit="documents")
        if self._failed_documents:
            raise next(iter(self._failed_documents.values()))

    def _write_batches(self, should_pause: Callable[[], bool]) -> Iterator[int]:
        # Deletions come first and are never paused, because they take little time and removals have
        # a limit.
        while done := self.delete_batch():
            yield done
        yield from work_until_done(
            lambda: self.delete_batch() or self.update_batch(), self.count_left, should_pause
        )

    def delete_batch(self) -> int:
        """Claim some removed documents and delete their entries; return the number of documents."""
        return self._write_batch(self._deletions, is_deletion=True)

    def update_batch(self) -> int:
        """Claim some outdated documents and replace their entries; return their number."""
        return self._write_batch(self._updates, is_deletion=False)

    def _write_batch(self, cursor: ClaimCursor[OutdatedDocument, int], *, is_deletion: bool) -> int:
        with self.stage.run_context.database.begin() as connection:
            batch = cursor.fetch(
                lambda after: self._claim(connection, after, is_deletion=is_deletion)
            )
            if batch:
                self._replace_all(connection, batch)
        return len(batch)

    def _replace_all(self, connection: Connection, batch: Sequence[OutdatedDocument]) -> None:
        """Replace the entries of a batch.

        If the database refuses an entry, only the document of this entry fails.
        """
        error = self._try_replacing(connection, batch)
        if error is None:
            return
        for document in batch:
            error = self._try_replacing(connection, [document])
            if error is not None:
                self._record_failure(connection, document, error)

    def _try_replacing(
        self, connection: Connection, batch: Sequence[OutdatedDocument]
    ) -> Exception | None:
        """Replace the entries of a batch, and return None.

        If the database refuses a value, undo the replacement and return the error.
        """
        counts = self.inserted, self.refreshed, self.deleted
        try:
            with connection.begin_nested():
                self._replace(connection, batch)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            self.inserted, self.refreshed, self.deleted = counts
            return error
        return None

    def _record_failure(
        self, connection: Connection, document: OutdatedDocument, error: Exception
    ) -> None:
        reason = describe_reason(error) if isinstance(error, DBAPIError) else str(error)
        failure = BrokenDocumentError(
            f"document {document.document_id}: the index cannot store an entry of it ({reason})"
        )
        if self.stage.is_background_build(self.generation):
            self._failed_documents[document.id] = failure
        else:
            record_indexing_failure(connection, document.id, failure)

    def _claim(
        self, connection: Connection, after: int, *, is_deletion: bool
    ) -> list[OutdatedDocument]:
        rows = connection.execute(
            load_statement("lifecycle/claim_outdated_documents"),
            self._parameters(limit=CLAIM_DOCUMENTS, after=after, is_deletion=is_deletion),
        )
        return _limit_batch([OutdatedDocument(**row) for row in rows.mappings()])

    def count_left(self) -> int:
        return self.stage.count("lifecycle/count_outdated_documents", self._parameters())

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            **self.stage.index_parameters(self.generation),
            "analysis_version": self.generation.analysis_version,
            "failed_documents": list(self._failed_documents),
            **more,
        }

    def _replace(self, connection: Connection, batch: Sequence[OutdatedDocument]) -> None:
        same = [document.id for document in batch if document.has_same_chunks]
        if same:
            self._refresh(connection, same)
        others = [document for document in batch if not document.has_same_chunks]
        self.deleted += delete_document_entries(
            connection, self.generation.id, [document.id for document in others]
        )
        wanted = [document for document in others if document.chunking_id is not None]
        if wanted:
            self._insert(connection, wanted)

    def _refresh(self, connection: Connection, keys: Sequence[int]) -> None:
        parameters = {
            "generation_id": self.generation.id,
            "document_keys": keys,
            "run_id": self.stage.run_context.run_id,
        }
        self.refreshed += self._execute(connection, "lifecycle/refresh_entries", parameters)

    def _insert(self, connection: Connection, wanted: Sequence[OutdatedDocument]) -> None:
        parameters: dict[str, object] = {
            "generation_id": self.generation.id,
            "document_keys": [document.id for document in wanted],
            "chunking_ids": [document.chunking_id for document in wanted],
            "embedding_space_id": self.generation.embedding_space_id,
            "language": self.generation.language,
            "analysis_version": self.generation.analysis_version,
            "run_id": self.stage.run_context.run_id,
        }
        parameters |= _analyze_chunks(connection, self.generation, parameters)
        locked = lock_generation(connection, self.generation.id)
        length = locked["weighted_length"] or _estimate_length(connection, parameters)
        parameters["average_length"] = length
        inserted = self._execute(connection, "lifecycle/insert_entries", parameters)
        _check_complete(wanted, inserted)
        connection.execute(load_statement("lifecycle/insert_placements"), parameters)
        self.inserted += inserted

    def _execute(self, connection: Connection, name: str, parameters: dict[str, object]) -> int:
        statement = load_generation_statement(name, self.generation.id)
        return int(connection.execute(statement, parameters).scalar_one())


def delete_document_entries(connection: Connection, generation_id: int, keys: Sequence[int]) -> int:
    """Delete the entries of documents from a generation, in the caller's transaction.

    Returns the number of deleted entries.
    """
    if not keys:
        return 0
    parameters = {"generation_id": generation_id, "document_keys": list(keys)}
    lock_generation(connection, generation_id)
    statement = load_generation_statement("lifecycle/delete_entries", generation_id)
    deleted = connection.execute(statement, parameters).scalar_one()
    connection.execute(load_statement("lifecycle/delete_placements"), parameters)
    return int(deleted)


def _limit_batch(claimed: Sequence[OutdatedDocument]) -> list[OutdatedDocument]:
    """Return the first documents that together have at least COMMIT_ENTRIES entries.

    If all documents together have fewer entries, return all of them.
    """
    batch: list[OutdatedDocument] = []
    entries = 0
    for document in claimed:
        batch.append(document)
        entries += document.chunk_count
        if entries >= COMMIT_ENTRIES:
            break
    return batch


def _analyze_chunks(
    connection: Connection, generation: Generation, parameters: dict[str, object]
) -> dict[str, list[Any]]:
    """Return the analysed texts of the chunks of `chunking_ids` that differ from the raw texts.

    The result has three lists of equal length. `chunk_ids` are the ids of these chunks. `mains` are
    their analysed texts, or None where they equal the raw text. `addeds` are their added forms of
    words, or None.
    """
    analysed: dict[str, list[Any]] = {"chunk_ids": [], "mains": [], "addeds": []}
    if generation.analysis_version == RAW:
        return analysed
    for row in connection.execute(load_statement("lifecycle/select_chunk_texts"), parameters):
        text = analyze_text(row.text, generation.language, generation.analysis_version)
        main = None if text.main == row.text else text.main
        if main is not None or text.added:
            analysed["chunk_ids"].append(row.id)
            analysed["mains"].append(main)
            analysed["addeds"].append(text.added or None)
    return analysed


def _estimate_length(connection: Connection, parameters: dict[str, object]) -> float:
    """Estimate and store the average number of lexemes per entry, for a generation's first entries.

    The stage `publish` replaces the estimate by the exact average.
    """
    statement = load_statement("lifecycle/estimate_length")
    average = connection.execute(statement, parameters).scalar_one()
    connection.execute(
        load_statement("lifecycle/set_weighted_length"),
        {"generation_id": parameters["generation_id"], "average_length": average},
    )
    return float(average)


def _check_complete(wanted: Sequence[OutdatedDocument], inserted: int) -> None:
    expected = sum(document.chunk_count for document in wanted)
    if inserted != expected:
        raise MissingEmbeddingError(
            f"{expected - inserted} of {expected} chunks have no vector; nothing of these "
            f"{len(wanted)} documents was written"
        )
