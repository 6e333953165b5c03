"""Measures the vector index: the time of its creation, its size, its recall and its latency.

The script embeds sentences of the Python Enhancement Proposals, or reads the vectors of an earlier
run, and writes them as entries of one generation into an embedded Postgres. Then it creates the
index with different numbers of parallel workers and sizes of memory. Then it creates the index with
different parameters, and compares its ten first hits with those of an exact scan.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Connection, text

from ragline.embedder.embedder import load_embedder
from ragline.embedder.model_files import DEFAULT_MODEL
from ragline.lifecycle.vector_index import estimate_memory_bytes
from ragline.storage.database import Database, connect_database, copy_rows, prepare_database
from ragline.storage.embedded_postgres import embedded_postgres
from ragline.storage.generation_tables import (
    create_entries_table,
    create_vector_index,
    load_generation_statement,
)
from ragline.storage.statements import load_statement

Vectors = NDArray[np.float32]
MIB = 1024**2
GENERATION = 1
TOP_K = 10
# A search of Ragline fetches this many candidates.
DEPTH = 100
MIN_CHARS, MAX_CHARS = 40, 400
PARAMETERS = ((8, 64), (16, 64), (16, 128), (24, 96), (32, 128))
SEARCH_WIDTHS = (100, 200, 400)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
INSERT = """
insert into ragline.entries_1 (document_key, ordinal, chunk_id, document_id, source, header, text,
  heading_path, char_start, char_end, metadata, embedding, lexical, tsv, text_hash, content_hash,
  source_version, parser_fingerprint, run_id, indexed_at)
select n, 0, n, n::text, 'peps', '', repeat('a sentence of a document ', 24), '{}', 0, 600, '{}',
  embedding, '{}/268435456', '', '\\x00', '', '', '', '', now()
from staged
"""
NEAREST = """
select document_key from ragline.entries_1
order by embedding <=> cast(:vector as halfvec) limit cast(:depth as integer)
"""


def list_sentences(folder: Path) -> Iterator[str]:
    """The distinct sentences of the files, in the order of the files."""
    seen = set()
    for path in sorted(folder.rglob("pep-*.*")):
        for sentence in SENTENCE_END.split(" ".join(path.read_text("utf-8").split())):
            if MIN_CHARS <= len(sentence) <= MAX_CHARS and sentence not in seen:
                seen.add(sentence)
                yield sentence


def read_vectors(path: Path, folder: Path, count: int, cache: Path) -> Vectors:
    """The vectors of the first sentences; they are stored in `path` for the next run."""
    if not path.exists():
        sentences = [one for one, _ in zip(list_sentences(folder), range(count), strict=False)]
        np.save(path, load_embedder(DEFAULT_MODEL, cache=cache).embed_texts(sentences))
    vectors: Vectors = np.load(path)[:count]
    return vectors


def write_entries(database: Database, vectors: Vectors) -> None:
    """Write each vector as an entry of a new generation."""
    with database.begin() as connection:
        create_entries_table(connection, GENERATION, vectors.shape[1])
        connection.exec_driver_sql("create temp table staged (n bigint, embedding halfvec)")
        rows = ((number, HalfVector(vector)) for number, vector in enumerate(vectors))
        copy_rows(connection, "staged", [("n", "int8"), ("embedding", "halfvec")], rows)
        connection.exec_driver_sql(INSERT)
        connection.exec_driver_sql("analyze ragline.entries_1")


def create(session: Connection, memory: int, workers: int, m: int, ef: int) -> tuple[float, bool]:
    """Create the index. Returns the seconds, and whether the graph fitted into the memory."""
    session.execute(load_generation_statement("lifecycle/drop_vector_index", GENERATION))
    parameters = {"memory": f"{memory // 1024}kB", "workers": str(workers)}
    session.execute(load_statement("lifecycle/set_index_build"), parameters)
    notices: list[str] = []
    driver: Any = session.connection.driver_connection
    driver.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    started = time.perf_counter()
    create_vector_index(session, GENERATION, m, ef)
    seconds = time.perf_counter() - started
    session.execute(load_generation_statement("lifecycle/install_vector_index", GENERATION))
    return seconds, not any("no longer fits" in one for one in notices)


def find_nearest(vectors: Vectors, queries: Vectors) -> list[set[int]]:
    """The nearest entries of each query, by a scan of all."""
    order = np.argsort(-(queries @ vectors.T), axis=1)[:, :TOP_K]
    return [{int(index) for index in row} for row in order]


def measure_searches(
    session: Connection, queries: Vectors, nearest: Sequence[set[int]], width: int
) -> tuple[float, float]:
    """The recall of the first hits, and the median milliseconds of a search."""
    session.exec_driver_sql(f"set hnsw.ef_search = {width:d}")
    session.exec_driver_sql("set hnsw.iterative_scan = strict_order")
    session.exec_driver_sql("set enable_seqscan = off")
    found, took = 0, []
    for vector, wanted in zip(queries, nearest, strict=True):
        parameters = {"vector": HalfVector(vector).to_text(), "depth": DEPTH}
        started = time.perf_counter()
        keys = session.execute(text(NEAREST), parameters).scalars().all()
        took.append(1e3 * (time.perf_counter() - started))
        found += len(wanted & set(keys[:TOP_K]))
    return found / (TOP_K * len(queries)), quantiles(took, n=2)[0]


def print_builds(session: Connection, needed: int) -> None:
    """Print the time of the creation for numbers of workers and sizes of memory."""
    print("| workers | memory | graph fits | seconds |\n|---|---|---|---|", flush=True)
    sizes = (32 * MIB, needed // 2, needed, 2 * needed)
    for workers in (0, 1, 2):
        for memory in sizes:
            seconds, fits = create(session, memory, workers, 16, 64)
            print(f"| {workers} | {memory / MIB:.0f} MiB | {fits} | {seconds:.1f} |", flush=True)


def print_parameters(
    session: Connection, vectors: Vectors, queries: Vectors, limit: int | None
) -> None:
    """Print time, size, recall and latency for each pair of parameters."""
    nearest = find_nearest(vectors, queries)
    workers = max((os.cpu_count() or 1) - 1, 0)
    widths = " | ".join(f"recall@10, p50 at {width}" for width in SEARCH_WIDTHS)
    print(f"| m | ef_construction | seconds | MB | {widths} |")
    print("|---|---|---|---|" + "---|" * len(SEARCH_WIDTHS), flush=True)
    for m, ef in PARAMETERS[:limit]:
        memory = 2 * estimate_memory_bytes(len(vectors), vectors.shape[1], m)
        seconds, _ = create(session, memory, workers, m, ef)
        size = session.exec_driver_sql(
            "select pg_relation_size('ragline.entries_1_embedding_idx')"
        ).scalar_one()
        found = [measure_searches(session, queries, nearest, width) for width in SEARCH_WIDTHS]
        cells = " | ".join(f"{recall:.4f}, {took:.1f} ms" for recall, took in found)
        print(f"| {m} | {ef} | {seconds:.1f} | {size / 1e6:.0f} | {cells} |", flush=True)


def main() -> None:
    """Measure the creation, then the parameters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with the files of the proposals")
    parser.add_argument("--entries", type=int, default=30_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--vectors", type=Path, help="keep the vectors here, to measure again")
    parser.add_argument("--limit", type=int, help="measure only the first pairs of parameters")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        path = options.vectors or home / "vectors.npy"
        count = options.entries + options.queries
        vectors = read_vectors(path, options.folder, count, home / "models")
        # Queries are sentences that are no entries, from all files.
        chosen = np.random.default_rng(7).permutation(len(vectors))
        queries, entries = vectors[chosen[: options.queries]], vectors[chosen[options.queries :]]
        with embedded_postgres(home / "home") as address:
            database = connect_database(address)
            prepare_database(database)
            write_entries(database, entries)
            print(f"{len(entries):,} entries of {entries.shape[1]} dimensions\n")
            with database.open_session() as session:
                print_builds(session, estimate_memory_bytes(*entries.shape, m=16))
                print()
                print_parameters(session, entries, queries, options.limit)
            database.engine.dispose()


if __name__ == "__main__":
    main()
