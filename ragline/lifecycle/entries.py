"""The fourth stage: make each open generation hold what the ledger wants, document by document.

The difference is applied in transactions of whole documents: a reader sees a document as it
was or as it is, never half of it. What may be served is decided in `search_index`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.errors import BrokenDocumentError, MissingEmbeddingError
from ragline.lifecycle.build_slices import begin_slice, count_build_left
from ragline.lifecycle.claims import Turn, drain
from ragline.lifecycle.generations import (
    Generation,
    OpenGenerations,
    lock_generation,
    open_collection,
    work_on_each,
)
from ragline.lifecycle.ledger import (
    count_states,
    finish_documents,
    record_unwritten,
    register_source,
)
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_syncs import record_counts, record_finish
from ragline.storage.database_errors import describe_reason, is_unstorable
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement
from ragline.text_analysis import RAW, analyze_text

# A transaction holds about this many entries, so that readers and vacuum never wait long.
COMMIT_ENTRIES = 1_000
CLAIM_DOCUMENTS = 500
EARLY = ("inserted", "refreshed", "deleted", "ready")


@dataclass(frozen=True, slots=True)
class EntriesReport:
    """Entries written, rewritten in place and taken out by this run over all open generations.

    `entries` is what the target generation holds afterwards; `documents_made_ready` counts the
    documents that became visible to searches in this run, `states` all of the source.
    `build_left` counts the documents that a generation which is being built lacks, where this run
    left it to the next one.
    """

    inserted: int
    refreshed: int
    deleted: int
    entries: int
    documents_made_ready: int
    states: dict[str, int]
    seconds: float
    build_left: int | None = None


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A document whose entries must change: to those of a chunking, or to none.

    With `has_same_chunks` only what stands beside the text differs.
    """

    id: int
    document_id: str
    chunking_id: int | None
    chunk_count: int
    has_same_chunks: bool


def apply_entries(run_context: RunContext, source_name: str) -> EntriesReport:
    """Bring the entries of a source up to the ledger in every open generation.

    Running it again changes nothing. Removed documents leave the index here, and only then
    the ledger. What searches see comes first, and in each generation what has to go: it needs no
    model. A generation that fails fails alone, and no removal waits for it.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    opened = open_collection(run_context, settings.collection)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    placers = [
        _Placer(run_context, source_id, one, is_beside_live=opened.is_beside_live(one))
        for one in opened.in_order
    ]
    ready = _serve(run_context, source_name, opened, placers)
    with run_context.database.begin() as connection:
        entries = connection.execute(
            load_statement("lifecycle/count_placed_entries"),
            {"source_id": source_id, "generation_id": opened.reported.id},
        ).scalar_one()
        states = count_states(connection, source_id)
    early = {name: run_context.early.pop((source_name, name), 0) for name in EARLY}
    report = EntriesReport(
        inserted=early["inserted"] + sum(placer.inserted for placer in placers),
        refreshed=early["refreshed"] + sum(placer.refreshed for placer in placers),
        deleted=early["deleted"] + sum(placer.deleted for placer in placers),
        entries=entries,
        documents_made_ready=early["ready"] + ready,
        states=states,
        seconds=perf_counter() - started,
        build_left=count_build_left(run_context, source_name, source_id),
    )
    record_counts(run_context, source_id, report, report.seconds)
    record_finish(run_context, source_id)
    return report


def place_early(
    run_context: RunContext, source_name: str, source_id: int, generation: Generation
) -> None:
    """Bring the live generation up to the ledger, before its stage."""
    placer = _Placer(run_context, source_id, generation)
    try:
        placer.place_all(source_name, lambda: False)
        with run_context.database.begin() as connection:
            ready = finish_documents(connection, source_id, run_context.run_id)
        run_context.early[source_name, "ready"] += ready
    finally:
        for name in ("inserted", "refreshed", "deleted"):
            run_context.early[source_name, name] += getattr(placer, name)


def _serve(
    run_context: RunContext,
    source_name: str,
    opened: OpenGenerations,
    placers: Sequence[_Placer],
) -> int:
    """Bring each generation up to the ledger; how many documents searches see since then."""
    by_id = {placer.generation.id: placer for placer in placers}

    def serve(generation: Generation) -> int:
        placer = by_id[generation.id]
        placer.place_all(source_name, begin_slice(run_context, source_name, opened, generation))
        if generation.state != "live":
            return 0
        # At once: the others may take hours, or fail.
        with run_context.database.begin() as connection:
            return finish_documents(connection, placer.source_id, run_context.run_id)

    generations = [placer.generation for placer in placers]
    ready = sum(work_on_each(run_context, generations, serve))
    with run_context.database.begin() as connection:
        return ready + finish_documents(
            connection,
            placers[0].source_id,
            run_context.run_id,
            is_live_only=bool(run_context.failures),
        )


@dataclass
class _Turn:
    """A worker's way through the withdrawals, or through the documents that are to be served."""

    is_withdrawal: bool
    keys: Turn[Misplaced, int] = field(default_factory=lambda: Turn(0, lambda one: one.id))


@dataclass
class _Placer:
    """One worker's placing of a source's documents in one generation, in whole documents.

    A document that the database refuses an entry of fails alone. Beside a live generation that is
    the build's fault: the document is served, and stays so.
    """

    run_context: RunContext
    source_id: int
    generation: Generation
    is_beside_live: bool = False
    inserted: int = 0
    refreshed: int = 0
    deleted: int = 0
    _refused: dict[int, BrokenDocumentError] = field(default_factory=dict)

    def place_all(self, source_name: str, is_over: Callable[[], bool]) -> None:
        """Place all that is left, and withdraw what is gone first.

        Raises:
            BrokenDocumentError: beside a live generation, documents are refused; the others are
                placed.
        """
        misplaced = self.count_left()
        if misplaced == 0:
            return
        stage = self.run_context.progress.stage(
            f"{source_name}: index", total=misplaced, unit="documents"
        )
        # What is gone must be forgotten first: it costs little, and its clock runs too.
        turns = [_Turn(is_withdrawal=True), _Turn(is_withdrawal=False)]
        with stage as advance:
            while done := self.place_batch(turns[0]):
                advance(done)
            for count in drain(
                lambda: next(filter(None, map(self.place_batch, turns)), 0),
                self.count_left,
                is_over,
            ):
                advance(count)
        if self._refused:
            raise next(iter(self._refused.values()))

    def place_batch(self, turn: _Turn) -> int:
        """Claim some documents and exchange their entries; how many documents."""
        with self.run_context.database.begin() as connection:
            batch = turn.keys.take(lambda after: self._claim(connection, turn, after))
            if batch:
                self._exchange_all(connection, batch)
        return len(batch)

    def _exchange_all(self, connection: Connection, batch: Sequence[Misplaced]) -> None:
        """Exchange a batch; what the database refuses of one document costs that document alone."""
        counts = self.inserted, self.refreshed, self.deleted
        try:
            with connection.begin_nested():
                self._exchange(connection, batch)
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            self.inserted, self.refreshed, self.deleted = counts
            for document in batch:
                self._exchange_alone(connection, document)

    def _exchange_alone(self, connection: Connection, document: Misplaced) -> None:
        counts = self.inserted, self.refreshed, self.deleted
        try:
            with connection.begin_nested():
                self._exchange(connection, [document])
        except (DBAPIError, UnicodeEncodeError) as error:
            if not is_unstorable(error):
                raise
            self.inserted, self.refreshed, self.deleted = counts
            self._refuse(connection, document, error)

    def _refuse(self, connection: Connection, document: Misplaced, error: Exception) -> None:
        said = describe_reason(error) if isinstance(error, DBAPIError) else str(error)
        refused = BrokenDocumentError(
            f"document {document.document_id}: the index cannot hold an entry of it ({said})"
        )
        if self.is_beside_live:
            self._refused[document.id] = refused
        else:
            record_unwritten(connection, document.id, refused)

    def _claim(self, connection: Connection, turn: _Turn, after: int) -> list[Misplaced]:
        rows = connection.execute(
            load_statement("lifecycle/select_misplaced_documents"),
            self._parameters(limit=CLAIM_DOCUMENTS, after=after, is_withdrawal=turn.is_withdrawal),
        )
        return _first_entries([Misplaced(**row) for row in rows.mappings()])

    def count_left(self) -> int:
        statement = load_statement("lifecycle/count_misplaced_documents")
        with self.run_context.database.connect() as connection:
            return int(connection.execute(statement, self._parameters()).scalar_one())

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            "source_id": self.source_id,
            "generation_id": self.generation.id,
            "chunker_fingerprint": self.generation.chunker_fingerprint,
            "embedding_space_id": self.generation.embedding_space_id,
            "analysis_version": self.generation.analysis_version,
            "refused": list(self._refused),
            **more,
        }

    def _exchange(self, connection: Connection, batch: Sequence[Misplaced]) -> None:
        same = [document.id for document in batch if document.has_same_chunks]
        if same:
            self._refresh(connection, same)
        others = [document for document in batch if not document.has_same_chunks]
        self.deleted += withdraw_documents(
            connection, self.generation.id, [document.id for document in others]
        )
        wanted = [document for document in others if document.chunking_id is not None]
        if wanted:
            self._insert(connection, wanted)

    def _refresh(self, connection: Connection, keys: Sequence[int]) -> None:
        place = {
            "generation_id": self.generation.id,
            "document_keys": keys,
            "run_id": self.run_context.run_id,
        }
        self.refreshed += _execute(connection, "lifecycle/refresh_entries", self.generation, place)

    def _insert(self, connection: Connection, wanted: Sequence[Misplaced]) -> None:
        place: dict[str, object] = {
            "generation_id": self.generation.id,
            "document_keys": [document.id for document in wanted],
            "chunking_ids": [document.chunking_id for document in wanted],
            "embedding_space_id": self.generation.embedding_space_id,
            "language": self.generation.language,
            "analysis_version": self.generation.analysis_version,
            "run_id": self.run_context.run_id,
        }
        place |= _analyze_chunks(connection, self.generation, place)
        locked = lock_generation(connection, self.generation.id)
        place["average_length"] = locked["weighted_length"] or _fix_length(connection, place)
        inserted = _execute(connection, "lifecycle/insert_entries", self.generation, place)
        _check_complete(wanted, inserted)
        connection.execute(load_statement("lifecycle/insert_placements"), place)
        self.inserted += inserted


def withdraw_documents(connection: Connection, generation_id: int, keys: Sequence[int]) -> int:
    """Take documents out of a generation in the caller's transaction; how many entries went."""
    if not keys:
        return 0
    place = {"generation_id": generation_id, "document_keys": list(keys)}
    lock_generation(connection, generation_id)
    statement = load_generation_statement("lifecycle/delete_entries", generation_id)
    deleted = connection.execute(statement, place).scalar_one()
    connection.execute(load_statement("lifecycle/delete_placements"), place)
    return int(deleted)


def _first_entries(claimed: Sequence[Misplaced]) -> list[Misplaced]:
    """The first documents, up to about COMMIT_ENTRIES entries; at least one where there is one."""
    batch: list[Misplaced] = []
    entries = 0
    for document in claimed:
        batch.append(document)
        entries += document.chunk_count
        if entries >= COMMIT_ENTRIES:
            break
    return batch


def _execute(
    connection: Connection, name: str, generation: Generation, parameters: dict[str, object]
) -> int:
    statement = load_generation_statement(name, generation.id)
    return int(connection.execute(statement, parameters).scalar_one())


def _analyze_chunks(
    connection: Connection, generation: Generation, place: dict[str, object]
) -> dict[str, list[Any]]:
    """The analysed texts of the chunks that some documents get, where they are not the raw ones."""
    analysed: dict[str, list[Any]] = {"chunk_ids": [], "mains": [], "addeds": []}
    if generation.analysis_version == RAW:
        return analysed
    for row in connection.execute(load_statement("lifecycle/select_chunk_texts"), place):
        text = analyze_text(row.text, generation.language, generation.analysis_version)
        main = None if text.main == row.text else text.main
        if main is not None or text.added:
            analysed["chunk_ids"].append(row.id)
            analysed["mains"].append(main)
            analysed["addeds"].append(text.added or None)
    return analysed


def _fix_length(connection: Connection, place: dict[str, object]) -> float:
    """Estimate the average length for a generation's first entries; publishing corrects it."""
    average = connection.execute(load_statement("lifecycle/estimate_length"), place).scalar_one()
    connection.execute(
        load_statement("lifecycle/set_weighted_length"),
        {"generation_id": place["generation_id"], "average_length": average},
    )
    return float(average)


def _check_complete(wanted: Sequence[Misplaced], inserted: int) -> None:
    expected = sum(document.chunk_count for document in wanted)
    if inserted != expected:
        raise MissingEmbeddingError(
            f"{expected - inserted} of {expected} chunks have no vector; nothing of these "
            f"{len(wanted)} documents was written"
        )
