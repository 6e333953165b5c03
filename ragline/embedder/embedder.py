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
from ragline.embedder.encoding import encode_row, encode_row_tokens, encode_rows
from ragline.embedder.model_files import ModelFiles, check_default_weights, find_model_files
from ragline.embedder.space import EmbeddingSpace
from ragline.embedder.tokenizer import ModelTokenizer, read_tokenizer

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
        self.space = EmbeddingSpace(
            model=files.model,
            model_hash=files.model_hash,
            dimension=backend.dimension,
            max_tokens=tokenizer.max_tokens,
            query_prefix=tokenizer.query_prefix,
            document_prefix=tokenizer.document_prefix,
        )

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
        for start in range(0, len(texts), _WINDOW_TEXTS):
            rows = self.tokenizer.encode_documents(texts[start : start + _WINDOW_TEXTS])
            order = longest_first([len(row) for row in rows])
            for first in range(0, len(order), commit_size):
                group = order[first : first + commit_size]
                vectors = encode_rows(
                    self._backend, [rows[index] for index in group], self.tokenizer.pad_id
                )
                yield [start + index for index in group], vectors

    def embed_query(self, text: str) -> Floats:
        """Return the vector of a query: (dimension,) float32 of unit length.

        A query that is longer than the model's limit is truncated.
        """
        row = self.tokenizer.encode_queries([text])[0]
        return encode_row(self._backend, row, self.tokenizer.pad_id)

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
        encoded = self._queue.submit(encode_row_tokens, self._backend, rows, self.tokenizer.pad_id)
        matrices = iter(encoded.result())
        return [np.concatenate([next(matrices) for _ in document]) for document in windows]

    def embed_query_tokens(self, text: str) -> Floats:
        """Return the vectors of a query's tokens: (tokens, dimension) float32 rows of unit length.

        A query that is longer than the model's limit is truncated.
        """
        rows = self.tokenizer.encode_queries([text])
        return encode_row_tokens(self._backend, rows, self.tokenizer.pad_id)[0]


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
