"""Computes vectors from token ids. The batches run concurrently; the results keep the order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ragline.embedder.backend import Backend, Floats, Ids
from ragline.embedder.batching import pad_rows, padded_width, plan_batches

Rows = Sequence[Sequence[int]]


def encode_row(backend: Backend, row: Sequence[int], pad_id: int) -> Floats:
    """Compute the vector of one text with low latency: (dimension,) float32 of unit length."""
    ids, mask = pad_rows([row], padded_width(len(row)), pad_id)
    vectors = backend.embed_batch(ids, mask, is_alone=True)
    return vectors.reshape(-1)


def encode_rows(backend: Backend, rows: Rows, pad_id: int) -> Floats:
    """Compute the vectors of one or more texts: (n, dimension) float32, in input order.

    The rows have unit length. There must be at least one text.
    """
    indices, results = _run_batches(backend, rows, pad_id, backend.embed_batch)
    vectors = np.concatenate(results)
    ordered = np.empty_like(vectors)
    ordered[indices] = vectors
    return ordered


def encode_row_tokens(backend: Backend, rows: Rows, pad_id: int) -> list[Floats]:
    """Compute the vectors of the tokens of each row: (tokens, dimension) float32, without padding.

    The vectors have unit length.
    """
    indices, results = _run_batches(backend, rows, pad_id, backend.embed_batch_tokens)
    matrices = (matrix for batch in results for matrix in batch)
    by_index = dict(zip(indices, matrices, strict=True))
    return [by_index[index][: len(row)] for index, row in enumerate(rows)]


def _run_batches(
    backend: Backend, rows: Rows, pad_id: int, run: Callable[[Ids, Ids], Floats]
) -> tuple[list[int], list[Floats]]:
    batches = list(plan_batches([len(row) for row in rows], backend.batch_tokens))

    def run_one(batch: tuple[int, list[int]]) -> Floats:
        width, indices = batch
        return run(*pad_rows([rows[index] for index in indices], width, pad_id))

    order = [index for _, indices in batches for index in indices]
    if len(batches) == 1:
        return order, [run_one(batches[0])]
    # Threads are sufficient, because inference releases the interpreter's lock.
    with ThreadPoolExecutor(backend.parallel_batches, "ragline-embed") as threads:
        return order, list(threads.map(run_one, batches))
