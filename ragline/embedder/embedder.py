"""The embedder computes vectors of texts. Indexing and search use the same embedder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np

from ragline.embedder.backend import Backend, Floats
from ragline.embedder.backend_selection import select_backend
from ragline.embedder.batching import longest_first
from ragline.embedder.encoding import (
    encode_row,
    encode_row_with_tokens,
    encode_rows,
    encode_rows_with_tokens,
)
from ragline.embedder.exported_model import find_exported_dimension
from ragline.embedder.model_files import ModelFiles, check_default_weights, find_model_files
from ragline.embedder.space import EmbeddingSpace
from ragline.embedder.token_codes import TokenRotation, fit_rotation, make_sample_texts
from ragline.embedder.tokenizer import ModelTokenizer, TokenCounter, read_tokenizer

# Texts are tokenized in windows and sorted by length within a window. To tokenize a window of this
# size takes about a second, so the first vectors arrive soon. To embed it takes minutes, so almost
# all of its batches are full.
_WINDOW_TEXTS = 8192
# A call with many texts is split into tasks of this many texts, so that other calls can run between
# them. A task takes a quarter of a second on two cores.
_TASK_TEXTS = 16
# The maximum number of windows of a text that `embed_tokens` reads. A chunk has one window.
_MAX_DOCUMENT_WINDOWS = 16


class Embedder:
    """A loaded embedding model. Several threads can use it.

    With OpenVINO on one machine, equal texts have equal vectors, bit for bit. The vector depends
    neither on the other texts of the call nor on the method that computes it.

    Calls of `embed_texts` and `embed_tokens` wait in a queue (first in, first out). The queue has
    as many workers as the processor can use. Without the queue, several concurrent calls would
    all end as late as the last one. `embed_query` does not use the queue. `embed_batches` does
    not use it either, because its caller controls the pace.
    """

    def __init__(self, files: ModelFiles, tokenizer: ModelTokenizer, backend: Backend) -> None:
        self.tokenizer = tokenizer
        self._backend = backend
        self._queue_lock = Lock()
        self._queue_or_none: ThreadPoolExecutor | None = None
        self.space = _make_space(files, tokenizer, backend.dimension)

    @property
    def _queue(self) -> ThreadPoolExecutor:
        """The workers of the queue. They are created at the first call that needs the queue.

        A thread pool has a fair queue. A semaphore is not fair: a thread that releases it and
        acquires it again at once can get it before threads that wait. Each worker runs two streams
        of batches, so that one call uses the processor well.
        """
        with self._queue_lock:
            if self._queue_or_none is None:
                workers = max(1, self._backend.parallel_batches // 2)
                self._queue_or_none = ThreadPoolExecutor(workers, "ragline-embed-queue")
            return self._queue_or_none

    @property
    def encoder(self) -> str:
        """The name of the backend with its precision, such as `openvino-bf16` or `pytorch-f32`."""
        return self._backend.encoder

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Return the vectors of texts: (n, dimension) float32 rows of unit length, in input order.

        Without texts, n is 0.

        Raises:
            TextTooLongError: a text has more tokens than the model reads. Split the text first.
        """
        vectors = np.empty((len(texts), self.space.dimension), dtype=np.float32)
        groups = self.embed_batches(texts, commit_size=_TASK_TEXTS)
        while group := self._queue.submit(next, groups, None).result():
            indices, rows = group
            vectors[indices] = rows
        return vectors

    def embed_batches(
        self, texts: Sequence[str], commit_size: int = 512
    ) -> Iterator[tuple[list[int], Floats]]:
        """Yield (indices into `texts`, their vectors) in groups of at most `commit_size`.

        Each index occurs once. Within a window of texts, longer texts come first. Equal input gives
        an equal order. A group is computed only when the caller asks for it. So a caller that
        commits each group before it asks for the next one loses no computed vector when it stops.

        Raises:
            TextTooLongError: a text has more tokens than the model reads. This is raised before any
                group of the text's window is computed.
        """
        for indices, rows in self._group_rows(texts, commit_size):
            yield indices, encode_rows(self._backend, rows, self.tokenizer.pad_id)

    def embed_coded_batches(
        self, texts: Sequence[str], rotation: TokenRotation, commit_size: int = 512
    ) -> Iterator[tuple[list[int], Floats, list[bytes]]]:
        """Yield (indices into `texts`, their vectors, their token codes), as `embed_batches` does.

        The vectors and the codes come from one forward pass. Each text has one value with the codes
        of all its tokens (`TokenRotation.encode`).

        Raises:
            TextTooLongError: as in `embed_batches`.
        """
        for indices, rows in self._group_rows(texts, commit_size):
            encoded = encode_rows_with_tokens(
                self._backend, rows, self.tokenizer.pad_id, rotation.encode
            )
            yield (
                indices,
                np.stack([vector for vector, _ in encoded]),
                [code for _, code in encoded],
            )

    def _group_rows(
        self, texts: Sequence[str], commit_size: int
    ) -> Iterator[tuple[list[int], list[list[int]]]]:
        """Yield (indices into `texts`, their token ids) in the groups of `embed_batches`."""
        for start in range(0, len(texts), _WINDOW_TEXTS):
            rows = self.tokenizer.encode_documents(texts[start : start + _WINDOW_TEXTS])
            order = longest_first([len(row) for row in rows])
            for first in range(0, len(order), commit_size):
                group = order[first : first + commit_size]
                yield [start + index for index in group], [rows[index] for index in group]

    def embed_query(self, text: str) -> Floats:
        """Return the vector of a query: (dimension,) float32 of unit length.

        A query that is longer than the model's limit is truncated.
        """
        row = self.tokenizer.encode_queries([text])[0]
        return encode_row(self._backend, row, self.tokenizer.pad_id)

    def embed_query_with_tokens(self, text: str) -> tuple[Floats, Floats]:
        """Return the vector of a query as `embed_query` does, and those of its tokens.

        Both come from one forward pass. The vectors of tokens are those of `embed_query_tokens`.
        """
        row = self.tokenizer.encode_queries([text])[0]
        return encode_row_with_tokens(self._backend, row, self.tokenizer.pad_id)

    def embed_tokens(self, texts: Sequence[str]) -> list[Floats]:
        """Return the vectors of each text's tokens: (tokens, dimension) float32, unit length.

        A reranker uses them. A text that is longer than the model's limit is read in windows. Text
        after the 16th window is ignored.
        """
        windows = [
            self.tokenizer.encode_windows(text, limit=_MAX_DOCUMENT_WINDOWS) for text in texts
        ]
        rows = [row for document in windows for row in document]
        if not rows:
            return []
        encoded = self._queue.submit(self._encode_tokens, rows)
        matrices = iter(encoded.result())
        return [np.concatenate([next(matrices) for _ in document]) for document in windows]

    def embed_query_tokens(self, text: str) -> Floats:
        """Return the vectors of a query's tokens: (tokens, dimension) float32 rows of unit length.

        A query that is longer than the model's limit is truncated.
        """
        return self.embed_query_with_tokens(text)[1]

    def encode_texts(self, texts: Sequence[str], rotation: TokenRotation) -> list[bytes]:
        """Return the token codes of each text, as `embed_coded_batches` makes them."""
        return [rotation.encode(tokens) for tokens in self.embed_tokens(texts)]

    def fit_rotation(self) -> TokenRotation | None:
        """Fit the rotation of token codes to the token vectors of sample texts.

        The texts are the same for every model and every database. So the codes do not depend on
        which texts are indexed first. The result is None if the model has less than eight
        dimensions.
        """
        tokens = self.embed_tokens(make_sample_texts(self.tokenizer))
        return fit_rotation(np.concatenate(tokens))

    def _encode_tokens(self, rows: list[list[int]]) -> list[Floats]:
        pad_id = self.tokenizer.pad_id
        encoded = encode_rows_with_tokens(self._backend, rows, pad_id, np.array)
        return [tokens for _, tokens in encoded]


def load_embedder(model: str, *, cache: Path, backend: str = "auto") -> Embedder:
    """Load an embedding model for this machine.

    Args:
        model: the folder of a sentence-transformers model, or its name on the Hugging Face hub.
        cache: the folder for files that are made from the model. The first load of a model writes
            these files, which takes seconds. Later loads take half a second and do not import
            torch.
        backend: `auto`, or one of `openvino-bf16`, `openvino-f32`, `pytorch`.

    Raises:
        ModelUnavailableError: the model cannot be found or loaded; the message says what to do.
    """
    files = find_model_files(model)
    check_default_weights(files)
    tokenizer = read_tokenizer(files, cache)
    return Embedder(files, tokenizer, select_backend(backend, files, tokenizer, cache))


def find_known_space(model: str, tokenizer: TokenCounter, *, cache: Path) -> EmbeddingSpace | None:
    """Return the space of a model that was loaded with this `cache` before, without loading it.

    The files of the model are hashed. The result is None if a load of the same files left nothing
    in `cache`.

    Raises:
        ModelUnavailableError: the model cannot be found; the message says what to do.
    """
    files = find_model_files(model)
    check_default_weights(files)
    dimension = find_exported_dimension(files, cache)
    return None if dimension is None else _make_space(files, tokenizer, dimension)


def _make_space(files: ModelFiles, tokenizer: TokenCounter, dimension: int) -> EmbeddingSpace:
    return EmbeddingSpace(
        model=files.model,
        model_hash=files.model_hash,
        dimension=dimension,
        max_tokens=tokenizer.max_tokens,
        query_prefix=files.query_prefix,
        document_prefix=files.document_prefix,
    )
