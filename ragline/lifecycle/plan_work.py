"""The work of a build, for a build plan: how many documents, chunks, texts and tokens.

The figures are exact if the chunks exist. Otherwise a random sample of the parses is chunked in
memory, and the figures are estimated from the sample. Nothing is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from sqlalchemy import Connection

from ragline.chunking import Chunk, chunk_document
from ragline.configuration import ChunkingSettings
from ragline.embedder.tokenizer import TokenCounter
from ragline.fingerprints import hash_text
from ragline.lifecycle.chunks import read_parse
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.plan_settings import Wanted
from ragline.storage.statements import load_statement

# The sample ends after this time, or after this number of parses.
SAMPLE_S = 1.0
MAX_SAMPLED_PARSES = 500
# A larger parse is in the sample only if no smaller one exists, because its chunking takes seconds.
MAX_SAMPLED_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """The work that is left of a build.

    `documents` counts the readable documents whose entries must be written. The build uses their
    stored parses again (`parses_reused`). `unread_documents` counts the listed documents that were
    not read yet; no other figure contains them. `chunks_reused` and `chunks_to_make` count the
    chunks of the parses. `entries` counts the chunks of the documents: two documents with equal
    content have twice as many entries as chunks. `embeddings_reused` and `embeddings_to_make` count
    distinct texts. `tokens` counts the tokens of the texts to embed. If `is_estimate` is true, the
    figures about chunks, entries, embeddings and tokens are estimated, and `estimated_from` says
    from what. A figure is None if it cannot be estimated.
    """

    documents: int
    unread_documents: int
    parses_reused: int
    chunks_reused: int
    chunks_to_make: int | None
    bytes_to_chunk: int
    entries: int | None
    embeddings_reused: int | None
    embeddings_to_make: int | None
    tokens: int | None
    is_estimate: bool
    estimated_from: str | None


@dataclass(frozen=True, slots=True)
class ChunkSample:
    """The result of chunking some parses for a plan. Nothing of it is stored.

    `chunks` and `parse_bytes` count each parse once. `entries` and `entry_bytes` count it once for
    each document that has it. `texts` contains each distinct text with its number of tokens, by the
    hash of the text. `new_hashes` are the hashes of the texts without a vector. `seconds` is the
    time that the chunking took.
    """

    parses: int
    parse_bytes: int
    entry_bytes: int
    chunks: int
    entries: int
    seconds: float
    texts: dict[bytes, tuple[str, int]]
    new_hashes: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What the statements of a plan select: a collection, and the parts of a generation.

    The fields of a generation, a chunker or an embedding space that does not exist are None.
    """

    collection: str
    generation_id: int | None
    chunker_fingerprint: str | None
    embedding_space_id: int | None

    def bind(self, *names: str, **more: object) -> dict[str, object]:
        """Return parameters of a statement: `collection`, the fields `names`, and `more`."""
        return {name: getattr(self, name) for name in ("collection", *names)} | more


@dataclass(frozen=True, slots=True)
class _Counts:
    """The columns of the statements `count_chunks` and `count_texts`, which return one row each."""

    documents: int
    parses: int
    chunked_parses: int
    chunks: int
    entries: int
    unchunked_bytes: int
    unchunked_entry_bytes: int
    unread_documents: int
    texts: int
    embedded: int
    tokens: int

    @property
    def unchunked_parses(self) -> int:
        return self.parses - self.chunked_parses


def make_key(
    connection: Connection, collection: str, wanted: Wanted, target: Generation | None
) -> BuildKey:
    """Return the key of the generation that a build makes, or of the one that it continues."""
    if target is not None:
        return BuildKey(
            collection, target.id, target.chunker_fingerprint, target.embedding_space_id
        )
    space_id = None
    if wanted.space is not None:
        statement = load_statement("lifecycle/select_embedding_space")
        space_id = connection.execute(
            statement, {"fingerprint": wanted.space.fingerprint}
        ).scalar_one_or_none()
    return BuildKey(collection, None, wanted.chunker_fingerprint, space_id)


def plan_work(
    connection: Connection, key: BuildKey, wanted: Wanted, live: Generation | None
) -> tuple[PlannedWork, ChunkSample | None]:
    """Return the work of a build, and the sample from which it was estimated.

    The sample is None if all chunks exist, or if no parse could be chunked.
    """
    counts = _count(connection, key)
    if counts.unchunked_parses == 0:
        return _exact_work(counts), None
    if wanted.tokenizer is not None:
        chunking = wanted.settings.chunking
        sample = _sample_chunks(connection, key, chunking, wanted.tokenizer)
        if sample.parses:
            return _scale_sample(counts, sample), sample
    if live is not None:
        return _scale_live(connection, key, counts, wanted.settings.chunking, live), None
    return _unknown_work(counts), None


def _count(connection: Connection, key: BuildKey) -> _Counts:
    chunks = connection.execute(
        load_statement("build_plan/count_chunks"), key.bind("generation_id", "chunker_fingerprint")
    )
    names = ("generation_id", "chunker_fingerprint", "embedding_space_id")
    texts = connection.execute(load_statement("build_plan/count_texts"), key.bind(*names))
    return _Counts(**chunks.mappings().one(), **texts.mappings().one())


def _exact_work(counts: _Counts) -> PlannedWork:
    return PlannedWork(
        documents=counts.documents,
        unread_documents=counts.unread_documents,
        parses_reused=counts.parses,
        chunks_reused=counts.chunks,
        chunks_to_make=0,
        bytes_to_chunk=0,
        entries=counts.entries,
        embeddings_reused=counts.embedded,
        embeddings_to_make=counts.texts - counts.embedded,
        tokens=counts.tokens,
        is_estimate=False,
        estimated_from=None,
    )


def _add_work(
    counts: _Counts,
    added: tuple[float, float, float, float, float],
    estimated_from: str | None,
) -> PlannedWork:
    """Add an estimate to the exact counts of the stored chunks. Return the work of the build.

    `added` contains the estimated chunks, entries, reused embeddings, new embeddings and tokens.
    """
    chunks, entries, embedded, texts, tokens = (round(figure) for figure in added)
    return PlannedWork(
        documents=counts.documents,
        unread_documents=counts.unread_documents,
        parses_reused=counts.parses,
        chunks_reused=counts.chunks,
        chunks_to_make=chunks,
        bytes_to_chunk=counts.unchunked_bytes,
        entries=counts.entries + entries,
        embeddings_reused=counts.embedded + embedded,
        embeddings_to_make=counts.texts - counts.embedded + texts,
        tokens=counts.tokens + tokens,
        is_estimate=estimated_from is not None,
        estimated_from=estimated_from,
    )


def _scale_sample(counts: _Counts, sample: ChunkSample) -> PlannedWork:
    """Estimate the work. The estimate assumes that the other parses are like the sampled ones."""
    factor = counts.unchunked_bytes / max(sample.parse_bytes, 1)
    entry_factor = counts.unchunked_entry_bytes / max(sample.entry_bytes, 1)
    new = len(sample.new_hashes)
    tokens = sum(sample.texts[key][1] for key in sample.new_hashes)
    # If the sample contains all parses, the figures are exact. They are not exact if some parses
    # are already chunked, because a text that is also in a stored chunk is counted twice.
    is_exact = counts.chunked_parses == 0 and sample.parses == counts.parses
    origin = (
        f"the chunks of {sample.parses:,} of {counts.unchunked_parses:,} parses, which were made "
        "for this plan and not stored"
    )
    figures = (
        sample.chunks * factor,
        sample.entries * entry_factor,
        (len(sample.texts) - new) * factor,
        new * factor,
        tokens * factor,
    )
    return _add_work(counts, figures, None if is_exact else origin)


def _scale_live(
    connection: Connection,
    key: BuildKey,
    counts: _Counts,
    chunking: ChunkingSettings,
    live: Generation,
) -> PlannedWork:
    """Estimate the work from the chunks of the live generation.

    The estimate assumes that a text has as many tokens as in the live generation, and that each
    chunk is as long as the settings permit.
    """
    live_key = BuildKey(key.collection, key.generation_id, live.chunker_fingerprint, None)
    found = _count(connection, live_key)
    share = counts.unchunked_parses / max(counts.parses, 1)
    ratio = share * _chunk_step(live.chunking) / _chunk_step(chunking)
    figures = (
        found.chunks * ratio, found.entries * ratio, 0.0, found.texts * ratio, found.tokens * share,
    )  # fmt: skip
    origin = (
        f"the chunks and tokens of the live generation and chunks of {chunking.max_tokens} tokens, "
        "because the tokenizer of the model cannot be loaded"
    )
    return _add_work(counts, figures, origin)


def _chunk_step(chunking: ChunkingSettings) -> int:
    """Return the number of tokens in a full chunk that are not in the chunk before it."""
    return max(chunking.max_tokens - chunking.overlap_tokens, 1)


def _unknown_work(counts: _Counts) -> PlannedWork:
    return PlannedWork(
        documents=counts.documents,
        unread_documents=counts.unread_documents,
        parses_reused=counts.parses,
        chunks_reused=counts.chunks,
        chunks_to_make=None,
        bytes_to_chunk=counts.unchunked_bytes,
        entries=None,
        embeddings_reused=None,
        embeddings_to_make=None,
        tokens=None,
        is_estimate=True,
        estimated_from=None,
    )


def _sample_chunks(
    connection: Connection, key: BuildKey, chunking: ChunkingSettings, tokenizer: TokenCounter
) -> ChunkSample:
    """Chunk random parses for about SAMPLE_S, and at least one of those that can be chunked."""
    started = perf_counter()
    limits = {"max_bytes": MAX_SAMPLED_BYTES, "limit": MAX_SAMPLED_PARSES}
    found = connection.execute(
        load_statement("build_plan/select_unchunked_parses"),
        key.bind("generation_id", "chunker_fingerprint", **limits),
    )
    made: list[tuple[int, int, list[Chunk]]] = []
    for parse in found.all():
        row = _read_sampled(connection, parse.id)
        chunks = None if row is None else _try_chunking(row, chunking, tokenizer)
        if chunks is not None:
            made.append((row.bytes, parse.documents, chunks))
        if made and perf_counter() - started > SAMPLE_S:
            break
    seconds = perf_counter() - started
    texts = {
        hash_text(one.embedded_text): (one.embedded_text, one.token_count)
        for _, _, chunks in made
        for one in chunks
    }
    return ChunkSample(
        parses=len(made),
        parse_bytes=sum(size for size, _, _ in made),
        entry_bytes=sum(size * documents for size, documents, _ in made),
        chunks=sum(len(chunks) for _, _, chunks in made),
        entries=sum(len(chunks) * documents for _, documents, chunks in made),
        seconds=seconds,
        texts=texts,
        new_hashes=frozenset(texts) - _find_embedded(connection, key, list(texts)),
    )


def _read_sampled(connection: Connection, parse_id: int) -> Any:
    statement = load_statement("build_plan/select_sampled_parse")
    return connection.execute(statement, {"parse_id": parse_id}).one_or_none()


def _try_chunking(
    row: Any, chunking: ChunkingSettings, tokenizer: TokenCounter
) -> list[Chunk] | None:
    """Return the chunks of a parse. None if it cannot be chunked; the build reports the error."""
    try:
        return chunk_document(read_parse(row), chunking, tokenizer)
    except Exception:  # noqa: BLE001  the sample can leave out any parse
        return None


def _find_embedded(connection: Connection, key: BuildKey, hashes: list[bytes]) -> frozenset[bytes]:
    statement = load_statement("build_plan/select_embedded_hashes")
    parameters = {"embedding_space_id": key.embedding_space_id, "text_hashes": hashes}
    return frozenset(bytes(one) for one in connection.execute(statement, parameters).scalars())
