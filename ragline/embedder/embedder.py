"""The embedder: from texts to vectors. Indexing and search share it, so a text has one vector."""

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

# Texts are tokenized in windows and sorted by length within a window. A window of this size takes
# about a second to tokenize and minutes to embed: its batches are full, and the first vectors
# arrive soon.
_WINDOW_TEXTS = 8192
# A call with many texts is split into tasks of this many texts, so that other calls can run between
# them. A task takes a quarter of a second on two cores.
_TASK_TEXTS = 16
# The maximum number of windows of a document that is compared token by token. A chunk is one
# window.
_MAX_DOCUMENT_WINDOWS = 16


class Embedder:
    """A loaded embedding model. Safe to use from several threads.

    With OpenVINO, on one machine, the vector of a text is equal bit for bit, independent of the
    other texts of the call and of the method.

    Calls with several texts (`embed_texts`, `embed_tokens`) are put into a queue, first in, first
    out, with as many workers as the processor can use. Without the queue, each of several
    concurrent calls would end as late as the last one. A single query does not use the queue, nor
    does `embed_batches`, whose caller controls the pace.
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
        """The workers, created at the first call with several texts: a query does not need them.

        A thread pool has a fair queue. A semaphore is not fair: a thread that releases it and
        acquires it again at once may get it before threads that wait. Each worker runs two streams
        of batches, so that one call uses the processor well.
        """
        with self._queue_lock:
            if self._queue_or_none is None:
                workers = max(1, self._backend.parallel_batches // 2)
                self._queue_or_none = ThreadPoolExecutor(workers, "ragline-embed-queue")
            return self._queue_or_none

    @property
    def encoder(self) -> str:
        """The name of backend and precision: `openvino-bf16`, `pytorch-f32`."""
        return self._backend.encoder

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """The vectors of texts: (n, dimension) float32 rows of unit length, in input order.

        Without texts, n is 0.

        Raises:
            TextTooLongError: a text has more tokens than the model reads. Split it before.
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

        Each index occurs once, longer texts first, in the same order each time. A group is computed
        when the caller asks for it and not in advance: a caller that commits each group before the
        next loses no computed vector when it stops.

        Raises:
            TextTooLongError: a text has more tokens than the model reads, found before any
                group of its window is computed.
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
        """The vector of a query: (dimension,) float32 of unit length. A long query is truncated."""
        row = self.tokenizer.encode_queries([text])[0]
        return encode_row(self._backend, row, self.tokenizer.pad_id)

    def embed_tokens(self, texts: Sequence[str]) -> list[Floats]:
        """The token vectors of each text: (tokens, dimension) float32 unit rows, for reranking.

        A text longer than the model's limit is read in windows, up to 16 times the limit.
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
        """The token vectors of a query: (tokens, dimension) float32 unit rows."""
        rows = self.tokenizer.encode_queries([text])
        return encode_row_tokens(self._backend, rows, self.tokenizer.pad_id)[0]


def load_embedder(model: str, *, cache: Path, backend: str = "auto") -> Embedder:
    """Load an embedding model for this machine.

    Args:
        model: a sentence-transformers model: a folder, or a name on the Hugging Face hub.
        cache: the folder for files made from the model. The first load of a model writes them in
            seconds; later loads take half a second and do not import torch.
        backend: `auto`, or one of `openvino-bf16`, `openvino-f32`, `pytorch`.

    Raises:
        ModelUnavailableError: the model cannot be found or loaded; the message says what to do.
    """
    files = find_model_files(model)
    check_default_weights(files)
    tokenizer = read_tokenizer(files, cache)
    return Embedder(files, tokenizer, select_backend(backend, files, tokenizer, cache))
