"""The fourth stage: make each open generation hold what the ledger wants, document by document.

The difference is applied in transactions of whole documents: a reader sees a document as it
was or as it is, never half of it. What may be served is decided in `search_index`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from sqlalchemy import Connection

from ragline.errors import MissingEmbeddingError
from ragline.lifecycle.generations import Generation, open_generations
from ragline.lifecycle.ledger import register_source, settle_documents
from ragline.lifecycle.source_syncs import record_counts, record_finish
from ragline.lifecycle.workshop import Workshop
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# A transaction holds about this many entries, so that readers and vacuum never wait long.
COMMIT_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class EntriesReport:
    """Entries written and taken out by this run over all open generations.

    `entries` is what the target generation holds afterwards; `documents_made_ready` counts the
    documents that became visible to searches in this stage.
    """

    inserted: int
    deleted: int
    entries: int
    documents_made_ready: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A document whose entries must change: to those of a chunking, or to none."""

    id: int
    chunking_id: int | None
    chunk_count: int


def apply_entries(workshop: Workshop, source_name: str) -> EntriesReport:
    """Bring the entries of a source up to the ledger in every open generation.

    Running it again changes nothing. Removed documents leave the index here, and only then
    the ledger.
    """
    started = perf_counter()
    settings = workshop.configuration.source(source_name)
    generations = open_generations(workshop, settings.collection)
    with workshop.database.begin() as connection:
        source_id = register_source(connection, settings).id
    inserted = deleted = 0
    for generation in generations:
        for added, gone in _place_documents(workshop, source_name, source_id, generation):
            inserted, deleted = inserted + added, deleted + gone
    with workshop.database.begin() as connection:
        ready = settle_documents(connection, source_id)
        entries = connection.execute(
            load_statement("lifecycle/count_placed_entries"),
            {"source_id": source_id, "generation_id": generations[-1].id},
        ).scalar_one()
    report = EntriesReport(inserted, deleted, entries, ready, perf_counter() - started)
    record_counts(workshop, source_id, report, report.seconds)
    record_finish(workshop, source_id)
    return report


def _place_documents(
    workshop: Workshop, source_name: str, source_id: int, generation: Generation
) -> Iterator[tuple[int, int]]:
    """Apply the difference of one generation; yield (inserted, deleted) of each commit."""
    parameters = {
        "source_id": source_id,
        "generation_id": generation.id,
        "chunker_fingerprint": generation.chunker_fingerprint,
    }
    with workshop.database.connect() as connection:
        rows = connection.execute(
            load_statement("lifecycle/select_misplaced_documents"), parameters
        )
        misplaced = [Misplaced(**row) for row in rows.mappings()]
    if not misplaced:
        return
    stage = workshop.progress.stage(f"{source_name}: index", total=len(misplaced), unit="documents")
    with stage as advance:
        for batch in _batches(misplaced):
            with workshop.database.begin() as connection:
                yield _place_batch(connection, generation, batch, workshop.run_id)
            advance(len(batch))


def _batches(misplaced: list[Misplaced]) -> Iterator[list[Misplaced]]:
    batch: list[Misplaced] = []
    for document in misplaced:
        batch.append(document)
        if sum(entry.chunk_count for entry in batch) >= COMMIT_ENTRIES:
            yield batch
            batch = []
    if batch:
        yield batch


def _place_batch(
    connection: Connection, generation: Generation, batch: list[Misplaced], run_id: str
) -> tuple[int, int]:
    """Exchange the entries of whole documents in the caller's transaction."""
    place = {"generation_id": generation.id, "document_keys": [document.id for document in batch]}
    locked = connection.execute(load_statement("lifecycle/lock_generation"), place).one()
    deleted = _execute(connection, "lifecycle/delete_entries", generation, place)
    connection.execute(load_statement("lifecycle/delete_placements"), place)
    wanted = [document for document in batch if document.chunking_id is not None]
    if not wanted:
        return 0, deleted
    place |= {
        "document_keys": [document.id for document in wanted],
        "chunking_ids": [document.chunking_id for document in wanted],
        "embedding_space_id": generation.embedding_space_id,
        "language": generation.language,
        "run_id": run_id,
    }
    place["average_length"] = locked.weighted_length or _fix_length(connection, place)
    inserted = _execute(connection, "lifecycle/insert_entries", generation, place)
    _check_complete(wanted, inserted)
    connection.execute(load_statement("lifecycle/insert_placements"), place)
    return inserted, deleted


def _execute(
    connection: Connection, name: str, generation: Generation, parameters: dict[str, object]
) -> int:
    statement = load_generation_statement(name, generation.id)
    return int(connection.execute(statement, parameters).scalar_one())


def _fix_length(connection: Connection, place: dict[str, object]) -> float:
    """Estimate the average length for a generation's first entries; publishing corrects it."""
    average = connection.execute(load_statement("lifecycle/estimate_length"), place).scalar_one()
    connection.execute(
        load_statement("lifecycle/set_weighted_length"),
        {"generation_id": place["generation_id"], "average_length": average},
    )
    return float(average)


def _check_complete(wanted: list[Misplaced], inserted: int) -> None:
    expected = sum(document.chunk_count for document in wanted)
    if inserted != expected:
        raise MissingEmbeddingError(
            f"{expected - inserted} of {expected} chunks have no vector; nothing of these "
            f"{len(wanted)} documents was written"
        )
