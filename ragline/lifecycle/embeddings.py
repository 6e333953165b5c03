"""The third stage of a sync: it computes the vectors of the texts of a source's chunks.

Equal texts have one vector in each embedding space. An open generation is one that the run works
on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from pgvector import HalfVector
from sqlalchemy import Connection

from ragline.errors import ModelUnavailableError
from ragline.lifecycle.claims import work_until_done
from ragline.lifecycle.generations import Generation, count_chunks
from ragline.lifecycle.open_generations import run_for_each
from ragline.lifecycle.run_context import RunContext
from ragline.lifecycle.source_stage import Stage, open_stage
from ragline.lifecycle.source_syncs import record_counts
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

# The number of texts that are embedded between two commits. After a crash, at most this number of
# texts is embedded again.
COMMIT_TEXTS = 1_024
# The approximate duration of a batch in a build while another generation is live. A change of the
# source waits for the end of the batch.
BUILD_BATCH_S = 5.0
FIRST_BUILD_TEXTS = 64
MIN_BUILD_TEXTS = 8


@dataclass(frozen=True, slots=True)
class EmbeddingsReport:
    """The result of the stage `embed` for one source.

    `embeddings_made` is the number of texts that this run embedded. `embeddings_reused` is the
    number of the source's chunks whose vector was already stored, for an equal text of any source.
    `encoder` names how this machine computed the vectors.
    """

    embeddings_made: int
    embeddings_reused: int
    chunks: int
    seconds: float
    texts_per_second: float
    encoder: str | None


def embed_chunks(run_context: RunContext, source_name: str) -> EmbeddingsReport:
    """Embed the texts of a source's chunks that have no vector yet, for every open generation.

    The vectors of COMMIT_TEXTS texts are committed at a time. The live generation comes first. If a
    generation fails, for example because its model cannot be loaded, the others are still embedded.
    The error is stored in `run_context.failures`.
    """
    started = perf_counter()
    stage = open_stage(run_context, source_name)
    workers = {one.id: _EmbeddingWorker(stage, one) for one in stage.generations.in_work_order}
    run_for_each(
        run_context,
        stage.generations.in_work_order,
        lambda one: workers[one.id].embed_all(stage.make_pause_check(one)),
    )
    made = run_context.live_counts.pop((source_name, "embeddings_made"), 0)
    made += sum(worker.made for worker in workers.values())
    with run_context.database.connect() as connection:
        _, chunks = count_chunks(connection, stage.source_id, stage.generations.reported)
    seconds = perf_counter() - started
    report = EmbeddingsReport(
        embeddings_made=made,
        embeddings_reused=max(chunks - made, 0),
        chunks=chunks,
        seconds=seconds,
        texts_per_second=made / seconds,
        encoder=_find_encoder(run_context, stage.generations.reported),
    )
    record_counts(run_context, stage.source_id, report, seconds)
    return report


def embed_for_live(stage: Stage, live: Generation) -> None:
    """Embed the texts of a source that the live generation lacks, before the stage `embed`.

    The number of texts is added to `run_context.live_counts`.
    """
    worker = _EmbeddingWorker(stage, live)
    try:
        worker.embed_all(lambda: False)
    finally:
        stage.run_context.live_counts[stage.source_name, "embeddings_made"] += worker.made


def embed_generation(stage: Stage, generation: Generation, should_pause: Callable[[], bool]) -> int:
    """Embed the texts of a source for one generation; return the number of vectors made."""
    worker = _EmbeddingWorker(stage, generation)
    worker.embed_all(should_pause)
    return worker.made


@dataclass
class _EmbeddingWorker:
    """A worker that embeds texts for one generation, at most COMMIT_TEXTS in each batch.

    All sources share the queue of an embedding space. So a worker also embeds texts that another
    source requested, and other workers can embed texts of its source. A worker of the live
    generation embeds only texts from chunks of its own chunker. It skips the requests of a build
    with another chunker, because those can take hours.
    """

    stage: Stage
    generation: Generation
    made: int = 0
    _batch_texts: int = field(default_factory=lambda: FIRST_BUILD_TEXTS)

    def embed_all(self, should_pause: Callable[[], bool]) -> None:
        """Compute the vectors that the source's documents lack in this generation."""
        missing = self.request_embeddings()
        if not missing:
            return
        check_embedding_space(self.stage.run_context, self.generation)
        batches = work_until_done(self.embed_batch, self.count_left, should_pause)
        self.stage.show_batches(batches, "embed", total=missing, unit="chunks")

    def request_embeddings(self) -> int:
        """Queue the source's texts that have no vector; return how many of its texts are queued."""
        with self.stage.run_context.database.begin() as connection:
            connection.execute(
                load_statement("lifecycle/insert_embedding_requests"), self._parameters()
            )
        return self.count_left()

    def embed_batch(self) -> int:
        """Claim requests from the queue and store their vectors; return the number of requests."""
        started = perf_counter()
        is_background = self.stage.is_background_build(self.generation)
        limit = self._batch_texts if is_background else COMMIT_TEXTS
        with self.stage.run_context.database.begin() as connection:
            rows = connection.execute(
                load_statement("lifecycle/claim_embedding_requests"),
                self._parameters(limit=limit, is_own_only=self.generation.state == "live"),
            ).all()
            wanted = [(row.text_hash, row.text) for row in rows if row.text is not None]
            for hashes, vectors in _embed(self.stage.run_context, self.generation, wanted):
                _store_embeddings(connection, self.generation, hashes, vectors)
                self.made += len(hashes)
        rate = len(rows) / (perf_counter() - started)
        self._batch_texts = min(max(int(rate * BUILD_BATCH_S), MIN_BUILD_TEXTS), COMMIT_TEXTS)
        return len(rows)

    def count_left(self) -> int:
        return self.stage.count("lifecycle/count_unembedded_texts", self._parameters())

    def _parameters(self, **more: int) -> dict[str, object]:
        return {
            **self.stage.index_parameters(self.generation),
            **more,
        }


def check_embedding_space(run_context: RunContext, generation: Generation) -> None:
    """Check that the files of the model are still those that a generation was built with.

    Raises:
        ModelUnavailableError: the model cannot be loaded, or its files have changed. If they have
            changed, new vectors of the model cannot be compared with the stored vectors.
    """
    space = run_context.embedder(generation.model).space
    if space.fingerprint != generation.space_fingerprint:
        raise ModelUnavailableError(
            f"the files of {generation.model} have changed since generation {generation.id} was "
            "built with them; the generation that the settings ask for replaces it"
        )


def _find_encoder(run_context: RunContext, generation: Generation) -> str | None:
    """Return how this machine computes a generation's vectors.

    The result is None if the model cannot be loaded.
    """
    try:
        return run_context.embedder(generation.model).encoder
    except Exception:  # noqa: BLE001  if vectors are needed, the failure is recorded
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
    connection.execute(load_statement("lifecycle/create_new_embeddings"))
    rows = ((key, HalfVector(vector)) for key, vector in zip(hashes, vectors, strict=True))
    columns = [("text_hash", "bytea"), ("embedding", "halfvec")]
    copy_rows(connection, "new_embeddings", columns, rows)
    connection.execute(
        load_statement("lifecycle/insert_embeddings"),
        {"embedding_space_id": generation.embedding_space_id},
    )
