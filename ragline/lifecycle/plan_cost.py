"""The time and the disk space of a build, for a build plan.

The time of each step is its amount of work divided by a rate. The rates of chunking and embedding
are measured now on this machine, because no table records them. The rate of writing entries comes
from the table `placements`, which records when each document was written to a generation. The rate
of the vector index comes from the last vector index that was created in this database.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from sqlalchemy import Connection

from ragline.configuration.checks import MAX_INDEXED_DIMENSION
from ragline.embedder.embedder import Embedder
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.plan_settings import Wanted
from ragline.lifecycle.plan_work import BuildKey, ChunkSample, PlannedWork
from ragline.lifecycle.run_context import RunContext
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

# The rate of embedding is measured on more and more texts, for at most about this time.
MEASUREMENT_S = 2.0
MIN_MEASURED_TEXTS = 4
MAX_MEASURED_TEXTS = 512
# Each measurement embeds this many times as many texts as the measurement before it.
GROWTH = 4
# The rate of writing entries is not taken from a generation with fewer entries.
MIN_ENTRIES = 1_000
# The bytes of one row without its vector: of an entry without its text, of an embedding, and of a
# row of the vector index. ENTRY_INDEX_BYTES and EMBEDDING_INDEX_BYTES are the bytes of one row in
# the other indexes. These figures and TOAST_BYTES were measured with Postgres 18 and pgvector 0.8,
# on 10,000 rows of 384, 768 and 1,024 dimensions. The computed sizes differ from the measured sizes
# by less than 1 %.
ENTRY_BYTES = 200
EMBEDDING_BYTES = 95
VECTOR_INDEX_BYTES = 108
# The bytes for the connections of one row of the vector index, for each unit of the setting `m`.
CONNECTION_BYTES = 12
ENTRY_INDEX_BYTES = 125
EMBEDDING_INDEX_BYTES = 95
# A page contains only whole rows. If a row is longer than MAX_ROW_BYTES, Postgres stores its vector
# in another table, which needs TOAST_BYTES in addition.
PAGE_BYTES = 8_192
MAX_ROW_BYTES = 2_000
TOAST_BYTES = 740
# The bytes of one number of a `halfvec`.
NUMBER_BYTES = 2


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a build. `amount` counts its work in `unit`, and `per_second` is the rate.

    The step also says where the rate comes from. `per_second` and `seconds` are None if no rate is
    known.
    """

    step: str
    amount: int
    unit: str
    per_second: float | None
    seconds: float | None
    rate_from: str


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """The estimated seconds of a build by one process, without the steps in `not_included`."""

    seconds: float
    steps: list[PlannedStep]
    not_included: list[str]


@dataclass(frozen=True, slots=True)
class PlannedDisk:
    """The disk space of an index, in bytes.

    `live_bytes` is the present size of the live generation with its indexes. `needed_bytes` is the
    estimated size of what the build writes in addition; None if there is no live generation from
    which it can be estimated. `vector_index_bytes` is the part of `needed_bytes` for the vector
    index. `free_bytes` is the free space on the disk of the embedded database; None for a database
    on a server, because its disk is unknown.
    """

    live_bytes: int
    needed_bytes: int | None
    vector_index_bytes: int
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Rate:
    per_second: float | None
    origin: str


def plan_time(
    run_context: RunContext,
    key: BuildKey,
    wanted: Wanted,
    live: Generation | None,
    work: PlannedWork,
    sample: ChunkSample | None,
) -> PlannedTime:
    """Estimate the time of a build. Embeds some texts to measure the rate."""
    steps = []
    if work.bytes_to_chunk:
        steps.append(_make_step("chunk", work.bytes_to_chunk, "bytes", _chunk_rate(sample)))
    if work.tokens:
        rate = _embedding_rate(run_context, key, wanted, live, sample)
        steps.append(_make_step("embed", work.tokens, "tokens", rate))
    if work.entries:
        steps.append(_make_step("index", work.entries, "entries", _entry_rate(run_context)))
    indexed = _count_indexed(wanted, live, work)
    if indexed:
        rate = _vector_index_rate(run_context, _find_dimension(wanted, live))
        steps.append(_make_step("vector index", indexed, "entries", rate))
    missing = [one.step for one in steps if one.seconds is None]
    return PlannedTime(sum(one.seconds or 0.0 for one in steps), steps, missing)


def plan_disk(
    run_context: RunContext, wanted: Wanted, live: Generation | None, work: PlannedWork
) -> PlannedDisk:
    """Measure the disk space of the live generation, and estimate that of a build."""
    configuration = run_context.configuration
    is_embedded = configuration.database_url is None and configuration.home.exists()
    free = shutil.disk_usage(configuration.home).free if is_embedded else None
    if live is None:
        return PlannedDisk(0, None, 0, free)
    with run_context.database.connect() as connection:
        statement = load_generation_statement("build_plan/select_index_bytes", live.id)
        sizes = connection.execute(statement).one()
        live_sizes = (int(sizes.bytes), int(sizes.vector_index_bytes))
        needed = _estimate_bytes(connection, wanted, live, work, live_sizes)
    index_bytes = 0 if needed is None else _estimate_index_bytes(wanted, live, work)
    return PlannedDisk(live_sizes[0], needed, index_bytes, free)


def _make_step(name: str, amount: int, unit: str, rate: _Rate) -> PlannedStep:
    seconds = amount / rate.per_second if rate.per_second else None
    return PlannedStep(name, amount, unit, rate.per_second, seconds, rate.origin)


def _chunk_rate(sample: ChunkSample | None) -> _Rate:
    if sample is None or not sample.seconds:
        return _Rate(None, "no rate is known, because the model cannot be loaded")
    origin = f"measured now on {sample.parses:,} parses of this collection"
    return _Rate(sample.parse_bytes / sample.seconds, origin)


def _embedding_rate(
    run_context: RunContext,
    key: BuildKey,
    wanted: Wanted,
    live: Generation | None,
    sample: ChunkSample | None,
) -> _Rate:
    """Measure how fast the wanted model embeds. If it cannot be loaded, measure the live model."""
    model = wanted.settings.embedding_model
    if wanted.space is not None:
        texts = [] if sample is None else [sample.texts[one] for one in sample.new_hashes]
        texts = texts or _sample_texts(run_context, key)
        rate = _measure(run_context, model, texts)
        if rate is not None:
            return rate
    if live is None:
        return _Rate(None, f"no rate of {model} is known")
    live_key = BuildKey(key.collection, live.id, live.chunker_fingerprint, None)
    bound = _measure(run_context, live.model, _sample_texts(run_context, live_key))
    if bound is None:
        return _Rate(None, f"no rate of {model} is known")
    origin = f"no rate of {model} is known; this is the rate of {live.model}, {bound.origin}"
    return _Rate(bound.per_second, origin)


def _sample_texts(run_context: RunContext, key: BuildKey) -> list[tuple[str, int]]:
    """Return random texts that have no vector, as pairs of text and number of tokens."""
    parameters = key.bind("chunker_fingerprint", "embedding_space_id", limit=MAX_MEASURED_TEXTS)
    with run_context.database.connect() as connection:
        rows = connection.execute(load_statement("build_plan/select_sampled_texts"), parameters)
        return [(row.text, row.token_count) for row in rows]


def _measure(run_context: RunContext, model: str, texts: Sequence[tuple[str, int]]) -> _Rate | None:
    """Measure how many tokens a model embeds in a second. None if it cannot embed the texts.

    The first call of the model only prepares it. Each later call embeds more texts than the call
    before it. The rate is that of the last call.
    """
    if not texts:
        return None
    texts = texts[:MAX_MEASURED_TEXTS]
    size = min(MIN_MEASURED_TEXTS, len(texts))
    try:
        embedder = run_context.embedder(model)
        _time_embedding(embedder, texts[:1])
        started = perf_counter()
        while True:
            seconds = _time_embedding(embedder, texts[:size])
            left = MEASUREMENT_S - (perf_counter() - started)
            if size >= len(texts) or GROWTH * seconds > left:
                break
            size = min(GROWTH * size, len(texts))
    except Exception:  # noqa: BLE001  libraries raise any error for a model
        return None
    tokens = sum(count for _, count in texts[:size])
    origin = f"measured now on {size:,} texts of this collection ({embedder.encoder})"
    return _Rate(max(tokens, 1) / max(seconds, 1e-9), origin)


def _time_embedding(embedder: Embedder, texts: Sequence[tuple[str, int]]) -> float:
    started = perf_counter()
    for _ in embedder.embed_batches([text for text, _ in texts], commit_size=len(texts)):
        pass
    return perf_counter() - started


def _entry_rate(run_context: RunContext) -> _Rate:
    statement = load_statement("build_plan/select_entry_rate")
    with run_context.database.connect() as connection:
        row = connection.execute(statement, {"min_entries": MIN_ENTRIES}).one()
    if not row.seconds:
        return _Rate(
            None, f"no rate is known, because no generation has {MIN_ENTRIES:,} entries yet"
        )
    return _Rate(row.entries / row.seconds, "recorded by the last build in this database")


def _vector_index_rate(run_context: RunContext, dimension: int | None) -> _Rate:
    statement = load_statement("build_plan/select_vector_index_rate")
    with run_context.database.connect() as connection:
        row = connection.execute(statement, {"dimension": dimension}).one_or_none()
    if row is None:
        return _Rate(None, "no rate is known, because this database has built no vector index yet")
    origin = f"recorded for the last vector index in this database, of {row.entries:,} entries"
    return _Rate(row.entries / row.seconds, origin)


def _count_indexed(wanted: Wanted, live: Generation | None, work: PlannedWork) -> int:
    """Return the number of entries in the vector index that the build creates; 0 without one."""
    dimension = _find_dimension(wanted, live)
    entries = work.entries or 0
    is_small = entries < wanted.settings.hnsw_from_entries
    return 0 if is_small or dimension is None or dimension > MAX_INDEXED_DIMENSION else entries


def _estimate_index_bytes(wanted: Wanted, live: Generation | None, work: PlannedWork) -> int:
    """Estimate the size of the vector index that the build creates, in bytes."""
    vector = NUMBER_BYTES * (_find_dimension(wanted, live) or 0)
    connections = CONNECTION_BYTES * wanted.settings.vector_index.m
    return round(
        _count_indexed(wanted, live, work) * _fill_pages(vector + connections + VECTOR_INDEX_BYTES)
    )


def _find_dimension(wanted: Wanted, live: Generation | None) -> int | None:
    """Return the dimension of the wanted model. If it cannot be loaded, use the live model's."""
    if wanted.space is not None:
        return wanted.space.dimension
    return None if live is None else live.dimension


def _estimate_bytes(
    connection: Connection,
    wanted: Wanted,
    live: Generation,
    work: PlannedWork,
    live_sizes: tuple[int, int],
) -> int | None:
    """Estimate how many bytes a build writes.

    `live_sizes` are the bytes of the live generation with its indexes, and of its vector index
    alone. The estimate assumes that a document has as many bytes of text as in the live generation.
    It adds the bytes of each new entry, vector and chunk. The result is None if the entries or the
    dimension are unknown, or if the live generation is empty.
    """
    dimension = _find_dimension(wanted, live)
    if work.entries is None or dimension is None or not live.entry_count:
        return None
    counted = {"generation_id": live.id}
    statement = load_statement("lifecycle/count_indexed_documents")
    documents = connection.execute(statement, counted).scalar_one()
    size, vector_index = live_sizes
    text: float = max(size - vector_index - live.entry_count * _entry_bytes(live.dimension), 0)
    needed: float = text * work.documents / max(documents, 1) + work.entries * _entry_bytes(
        dimension
    )
    needed += (work.embeddings_to_make or 0) * _embedding_bytes(dimension)
    needed += _estimate_index_bytes(wanted, live, work)
    chunks = connection.execute(load_statement("build_plan/select_chunk_bytes")).one()
    needed += (work.chunks_to_make or 0) * chunks.bytes / max(chunks.chunks, 1)
    return round(needed)


def _entry_bytes(dimension: int) -> float:
    """Return the bytes of an entry without its text, with its rows in all but the vector index."""
    return _row_bytes(NUMBER_BYTES * dimension + ENTRY_BYTES) + ENTRY_INDEX_BYTES


def _embedding_bytes(dimension: int) -> float:
    """Return the bytes of a stored embedding, including its bytes in the index."""
    return _row_bytes(NUMBER_BYTES * dimension + EMBEDDING_BYTES) + EMBEDDING_INDEX_BYTES


def _row_bytes(size: int) -> float:
    """Return the bytes of disk space that a row of `size` bytes needs in a table."""
    return size + TOAST_BYTES if size > MAX_ROW_BYTES else _fill_pages(size)


def _fill_pages(size: int) -> float:
    """Return a row's bytes of disk space, including its share of the unused end of a page."""
    return PAGE_BYTES / max(PAGE_BYTES // size, 1)
