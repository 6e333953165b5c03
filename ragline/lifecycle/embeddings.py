"""The third stage: one vector for each distinct text of a source's chunks, in each space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from pgvector import HalfVector
from sqlalchemy import Connection

from ragline.lifecycle.build_slices import begin_slice
from ragline.lifecycle.claims import drain
from ragline.lifecycle.generations import (
    Generation,
    check_space,
    count_chunks,
    open_collection,
    work_on_each,
)
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_syncs import record_counts
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

# Texts embedded between two commits: what a crash makes the next run embed again.
COMMIT_TEXTS = 1_024
# Beside a live generation as many as take about so long: a change waits for no more.
BUILD_BATCH_S = 5.0
FIRST_BUILD_TEXTS = 64
LEAST_BUILD_TEXTS = 8


@dataclass(frozen=True, slots=True)
class EmbeddingsReport:
    """`embeddings_made` counts texts embedded by this run; `embeddings_reused` the chunks of
    the source whose vector was there already (an equal text before, here or elsewhere).
    """

    embeddings_made: int
    embeddings_reused: int
    chunks: int
    seconds: float
    texts_per_second: float
    encoder: str | None


def embed_chunks(run_context: RunContext, source_name: str) -> EmbeddingsReport:
    """Embed the texts of a source's chunks that have no vector yet, in every open generation.

    Each COMMIT_TEXTS vectors are kept at once, so a run that dies loses no more than those. What
    searches see comes first. A generation that fails, its model gone, fails alone: its error is in
    `run_context.failures`.
    """
    started = perf_counter()
    settings = run_context.configuration.source(source_name)
    opened = open_collection(run_context, settings.collection)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    workers = {
        generation.id: _Worker(
            run_context, source_id, generation, is_beside_live=opened.is_beside_live(generation)
        )
        for generation in opened.in_order
    }
    work_on_each(
        run_context,
        opened.in_order,
        lambda generation: workers[generation.id].embed_all(
            source_name, begin_slice(run_context, source_name, opened, generation)
        ),
    )
    made = run_context.early.pop((source_name, "embeddings_made"), 0)
    made += sum(worker.made for worker in workers.values())
    _, chunks = count_chunks(run_context, source_id, opened.reported)
    seconds = perf_counter() - started
    report = EmbeddingsReport(
        embeddings_made=made,
        embeddings_reused=max(chunks - made, 0),
        chunks=chunks,
        seconds=seconds,
        texts_per_second=made / seconds,
        encoder=_name_encoder(run_context, opened.reported),
    )
    record_counts(run_context, source_id, report, seconds)
    return report


def embed_early(
    run_context: RunContext, source_name: str, source_id: int, generation: Generation
) -> None:
    """Embed what a source's documents lack in the live generation, before its stage."""
    worker = _Worker(run_context, source_id, generation)
    try:
        worker.embed_all(source_name, lambda: False)
    finally:
        run_context.early[source_name, "embeddings_made"] += worker.made


@dataclass
class _Worker:
    """One worker's embedding for one generation, COMMIT_TEXTS at a time.

    The queue belongs to the embedding space: a worker also takes what another source asked for,
    and finds its own done by somebody else. Only the live generation's takes nothing that a build
    asked for: there may be hours of it.
    """

    run_context: RunContext
    source_id: int
    generation: Generation
    is_beside_live: bool = False
    made: int = 0
    _batch_texts: int = field(default_factory=lambda: FIRST_BUILD_TEXTS)

    def embed_all(self, source_name: str, is_over: Callable[[], bool]) -> None:
        """Embed what the source's documents lack in this generation."""
        missing = self.request()
        if not missing:
            return
        check_space(self.run_context, self.generation)
        name = f"{source_name}: embed"
        with self.run_context.progress.stage(name, total=missing, unit="chunks") as advance:
            for count in drain(self.embed_batch, self.count_left, is_over):
                advance(count)

    def request(self) -> int:
        """Ask for every vector that the source's documents lack; how many texts wait now."""
        with self.run_context.database.begin() as connection:
            connection.execute(
                load_statement("lifecycle/insert_embedding_requests"), self._parameters()
            )
        return self.count_left()

    def embed_batch(self) -> int:
        """Take requests from the queue and keep their vectors; how many were taken."""
        started = perf_counter()
        is_live = self.generation.state == "live"
        limit = self._batch_texts if self.is_beside_live else COMMIT_TEXTS
        with self.run_context.database.begin() as connection:
            rows = connection.execute(
                load_statement("lifecycle/take_embedding_requests"),
                self._parameters(limit=limit, is_own_only=is_live),
            ).all()
            wanted = [(row.text_hash, row.text) for row in rows if row.text is not None]
            for hashes, vectors in _embed(self.run_context, self.generation, wanted):
                _store_embeddings(connection, self.generation, hashes, vectors)
                self.made += len(hashes)
        pace = len(rows) / (perf_counter() - started)
        self._batch_texts = min(max(int(pace * BUILD_BATCH_S), LEAST_BUILD_TEXTS), COMMIT_TEXTS)
        return len(rows)

    def count_left(self) -> int:
        statement = load_statement("lifecycle/count_unembedded_texts")
        with self.run_context.database.connect() as connection:
            return int(connection.execute(statement, self._parameters()).scalar_one())

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            "source_id": self.source_id,
            "generation_id": self.generation.id,
            "chunker_fingerprint": self.generation.chunker_fingerprint,
            "embedding_space_id": self.generation.embedding_space_id,
            **more,
        }


def _name_encoder(run_context: RunContext, generation: Generation) -> str | None:
    """How this machine computes a generation's vectors; None when its model is gone."""
    try:
        return run_context.embedder(generation.model).encoder
    except Exception:  # noqa: BLE001  where vectors are needed, the failure is recorded
        return None


def _embed(
    run_context: RunContext, generation: Generation, wanted: list[tuple[bytes, str]]
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    if not wanted:
        return
    embedder = run_context.embedder(generation.model)
    texts = [text for _, text in wanted]
    for indices, vectors in embedder.embed_batches(texts, commit_size=COMMIT_TEXTS):
        yield [wanted[index][0] for index in indices], vectors


def _store_embeddings(
    connection: Connection, generation: Generation, hashes: list[bytes], vectors: np.ndarray
) -> None:
    connection.execute(load_statement("lifecycle/create_made_embeddings"))
    rows = ((key, HalfVector(vector)) for key, vector in zip(hashes, vectors, strict=True))
    columns = [("text_hash", "bytea"), ("embedding", "halfvec")]
    copy_rows(connection, "made_embeddings", columns, rows)
    connection.execute(
        load_statement("lifecycle/insert_embeddings"),
        {"embedding_space_id": generation.embedding_space_id},
    )
