"""Computes vectors from token ids. The batches run concurrently; the results keep the order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ragline.embedder.backend import Backend, Floats, Ids
from ragline.embedder.batching import pad_rows, padded_width, plan_batches

Rows = Sequence[Sequence[int]]
# What is kept of the vectors of one text's tokens.
Kept = TypeVar("Kept")
# The result of one row of a batch.
Result = TypeVar("Result")


def encode_row(backend: Backend, row: Sequence[int], pad_id: int) -> Floats:
    """Compute the vector of one text with low latency: (dimension,) float32 of unit length."""
    ids, mask = pad_rows([row], padded_width(len(row)), pad_id)
    vectors = backend.embed_batch(ids, mask, is_alone=True)
    return vectors.reshape(-1)


def encode_row_with_tokens(
    backend: Backend, row: Sequence[int], pad_id: int
) -> tuple[Floats, Floats]:
    """Compute the vector of one text as `encode_row` does, and those of its tokens.

    Both come from one forward pass. The vectors of tokens are (tokens, dimension) float32, without
    padding.
    """
    ids, mask = pad_rows([row], padded_width(len(row)), pad_id)
    vectors, tokens = backend.embed_batch_tokens(ids, mask, is_alone=True)
    return vectors.reshape(-1), tokens[0, : len(row)]


def encode_rows(backend: Backend, rows: Rows, pad_id: int) -> Floats:
    """Compute the vectors of one or more texts: (n, dimension) float32, in input order.

    The rows have unit length. There must be at least one text.
    """

    def run(indices: list[int], ids: Ids, mask: Ids) -> list[Floats]:  # noqa: ARG001 - not needed here
        return list(backend.embed_batch(ids, mask))

    vectors: list[Floats] = _run_batches(backend, rows, pad_id, run)
    return np.stack(vectors)


def encode_rows_with_tokens(
    backend: Backend, rows: Rows, pad_id: int, keep: Callable[[Floats], Kept]
) -> list[tuple[Floats, Kept]]:
    """Compute the vector of each row, and what `keep` returns for the vectors of its tokens.

    The results are in input order. Both come from one forward pass. `keep` receives (tokens,
    dimension) float32 rows of unit length, without padding. It is called in several threads.
    """

    def run(indices: list[int], ids: Ids, mask: Ids) -> list[tuple[Floats, Kept]]:
        vectors, tokens = backend.embed_batch_tokens(ids, mask)
        return [
            (vector, keep(matrix[: len(rows[index])]))
            for index, vector, matrix in zip(indices, vectors, tokens, strict=True)
        ]

    return _run_batches(backend, rows, pad_id, run)


def _run_batches(
    backend: Backend,
    rows: Rows,
    pad_id: int,
    run: Callable[[list[int], Ids, Ids], list[Result]],
) -> list[Result]:
    """Return the results of `run` for all rows, in input order.

    `run` receives the indices of the rows of one batch, and the arrays `ids` and `mask`.
    """
    batches = list(plan_batches([len(row) for row in rows], backend.batch_tokens))

    def run_one(batch: tuple[int, list[int]]) -> list[Result]:
        width, indices = batch
        return run(indices, *pad_rows([rows[index] for index in indices], width, pad_id))

    if len(batches) == 1:
        done = [run_one(batches[0])]
    else:
        # Threads are sufficient, because inference releases the interpreter's lock.
        with ThreadPoolExecutor(backend.parallel_batches, "ragline-embed") as threads:
            done = list(threads.map(run_one, batches))
    order = (index for _, indices in batches for index in indices)
    by_index = dict(zip(order, (one for batch in done for one in batch), strict=True))
    return [by_index[index] for index in range(len(rows))]
