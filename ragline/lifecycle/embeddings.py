"""The third stage: one vector for each distinct text of a source's chunks, in each space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from pgvector import HalfVector
from sqlalchemy import Connection

from ragline.lifecycle.chunks import count_chunks
from ragline.lifecycle.generations import Generation, open_generations
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.source_syncs import record_counts
from ragline.lifecycle.workshop import Workshop
from ragline.storage.database import copy_rows
from ragline.storage.statements import load_statement

# Texts read at once: enough for batches of equal length, and at most some 40 MB.
ROUND_TEXTS = 16_384
# Texts embedded between two commits: what a crash makes the next run embed again.
COMMIT_TEXTS = 1_024


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


def embed_chunks(workshop: Workshop, source_name: str) -> EmbeddingsReport:
    """Embed the texts of a source's chunks that have no vector yet, in every open generation.

    Each COMMIT_TEXTS vectors are kept at once, so a run that dies loses no more than those.
    """
    started = perf_counter()
    settings = workshop.configuration.source(source_name)
    generations = open_generations(workshop, settings.collection)
    with workshop.database.begin() as connection:
        source_id = register_source(connection, settings).id
    made = sum(
        _embed_generation(workshop, source_name, source_id, generation)
        for generation in generations
    )
    _, chunks = count_chunks(workshop, source_id, generations[-1])
    seconds = perf_counter() - started
    report = EmbeddingsReport(
        embeddings_made=made,
        embeddings_reused=max(chunks - made, 0),
        chunks=chunks,
        seconds=seconds,
        texts_per_second=made / seconds,
        encoder=workshop.embedder(generations[-1].model).encoder,
    )
    record_counts(workshop, source_id, report, seconds)
    return report


def _embed_generation(
    workshop: Workshop, source_name: str, source_id: int, generation: Generation
) -> int:
    made = 0
    while missing := _select_missing(workshop, source_id, generation):
        stage = workshop.progress.stage(f"{source_name}: embed", total=len(missing), unit="chunks")
        with stage as advance:
            for hashes, vectors in _embed(workshop, generation, missing):
                with workshop.database.begin() as connection:
                    _store_embeddings(connection, generation, hashes, vectors)
                made += len(hashes)
                advance(len(hashes))
    return made


def _select_missing(
    workshop: Workshop, source_id: int, generation: Generation
) -> list[tuple[bytes, str]]:
    parameters = {
        "source_id": source_id,
        "chunker_fingerprint": generation.chunker_fingerprint,
        "embedding_space_id": generation.embedding_space_id,
        "limit": ROUND_TEXTS,
    }
    with workshop.database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/select_missing_texts"), parameters)
        return [(row.text_hash, row.text) for row in rows]


def _embed(
    workshop: Workshop, generation: Generation, missing: list[tuple[bytes, str]]
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    embedder = workshop.embedder(generation.model)
    texts = [text for _, text in missing]
    for indices, vectors in embedder.embed_batches(texts, commit_size=COMMIT_TEXTS):
        yield [missing[index][0] for index in indices], vectors


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
