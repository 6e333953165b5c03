"""Text to vectors: the one embedder that indexing and search share, so a text has one vector."""

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

# Tokenizing comes before sorting by length. This many texts at once are over a second of
# tokenizing, minutes of embedding: enough for full batches, and the first vectors come soon.
_WINDOW_TEXTS = 8192
# A call with many texts lets others have a turn after so many: a quarter of a second on two cores.
_TEXTS_A_TURN = 16
# A document to compare token by token is read this far; a chunk of an index is one window.
_DOCUMENT_WINDOWS = 16


class Embedder:
    """An embedding model made ready. Safe to use from several threads.

    With OpenVINO a text has the same vector, bit for bit, whatever it is embedded together
    with and by whichever method, on one machine.

    Several texts at once (`embed_texts`, `embed_tokens`) take turns in the order of coming, as
    many as the processor serves well; all of them side by side would each be as late as the last.
    One query never waits for a turn, and `embed_batches` is its caller's own to pace.
    """

    def __init__(self, files: ModelFiles, tokenizer: ModelTokenizer, backend: Backend) -> None:
        self.tokenizer = tokenizer
        self._backend = backend
        self._turns_lock = Lock()
        self._turns_made: ThreadPoolExecutor | None = None
        self.space = EmbeddingSpace(
            model=files.model,
            model_hash=files.model_hash,
            dimension=backend.dimension,
            max_tokens=tokenizer.max_tokens,
            query_prefix=tokenizer.query_prefix,
            document_prefix=tokenizer.document_prefix,
        )

    @property
    def _turns(self) -> ThreadPoolExecutor:
        """Made at the first call with several texts: a query does not pay for its graph.

        A pool, since its queue is fair: a semaphore goes to whoever asks again at once. Two
        streams of batches to a turn, so that one call's texts keep the processor busy.
        """
        with self._turns_lock:
            if self._turns_made is None:
                workers = max(1, self._backend.parallel_batches // 2)
                self._turns_made = ThreadPoolExecutor(workers, "ragline-turn")
            return self._turns_made

    @property
    def encoder(self) -> str:
        """How vectors are computed here, for receipts: `openvino-bf16`, `pytorch-f32`."""
        return self._backend.encoder

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """(n, dimension) float32 rows of unit length, in input order; (0, dimension) for none.

        Raises:
            TextTooLongError: a text has more tokens than the model reads. Cut it before.
        """
        vectors = np.empty((len(texts), self.space.dimension), dtype=np.float32)
        groups = self.embed_batches(texts, commit_size=_TEXTS_A_TURN)
        while group := self._turns.submit(next, groups, None).result():
            indices, rows = group
            vectors[indices] = rows
        return vectors

    def embed_batches(
        self, texts: Sequence[str], commit_size: int = 512
    ) -> Iterator[tuple[list[int], Floats]]:
        """Yield (indices into `texts`, their vectors) in groups of at most `commit_size`.

        Every index comes once, longer texts first, the same way each time. Nothing is computed
        ahead: what the caller has not yet asked for costs nothing when it stops, so a group
        that is committed when it arrives is never lost.

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
        """(dimension,) float32 of unit length. A query past the model's limit is cut there."""
        row = self.tokenizer.encode_queries([text])[0]
        return encode_row(self._backend, row, self.tokenizer.pad_id)

    def embed_tokens(self, texts: Sequence[str]) -> list[Floats]:
        """Per document (tokens, dimension) float32, a unit row per token, for late interaction.

        A text past the model's limit is read in windows, to sixteen times the limit.
        """
        windows = [self.tokenizer.encode_windows(text, limit=_DOCUMENT_WINDOWS) for text in texts]
        rows = [row for document in windows for row in document]
        if not rows:
            return []
        encoded = self._turns.submit(encode_row_tokens, self._backend, rows, self.tokenizer.pad_id)
        matrices = iter(encoded.result())
        return [np.concatenate([next(matrices) for _ in document]) for document in windows]

    def embed_query_tokens(self, text: str) -> Floats:
        """(tokens, dimension) float32, a unit row per token of a query."""
        rows = self.tokenizer.encode_queries([text])
        return encode_row_tokens(self._backend, rows, self.tokenizer.pad_id)[0]


def load_embedder(model: str, *, cache: Path, backend: str = "auto") -> Embedder:
    """An embedding model made ready for this machine.

    Args:
        model: a sentence-transformers model: a folder, or a name on the Hugging Face hub.
        cache: where what is made from the model is kept; the first load of a model fills it
            in seconds, later ones take half a second and do not load torch.
        backend: `auto`, or one of `openvino-bf16`, `openvino-f32`, `pytorch`.

    Raises:
        ModelUnavailableError: the model cannot be found or loaded; the message says what to do.
    """
    files = find_model_files(model)
    check_default_weights(files)
    tokenizer = read_tokenizer(files, cache)
    return Embedder(files, tokenizer, select_backend(backend, files, tokenizer, cache))
