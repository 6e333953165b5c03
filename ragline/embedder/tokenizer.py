"""The tokenizer of an embedding model: token counts, offsets and token ids.

This module needs only the package `tokenizers`. `ragline.chunking` splits texts by token counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tokenizers import Encoding, Tokenizer, normalizers

from ragline.embedder.atomic_files import write_atomically
from ragline.embedder.model_files import ModelFiles, find_model_files
from ragline.errors import TextTooLongError
from ragline.fingerprints import fingerprint, hash_text


class TokenCounter(Protocol):
    """Counts the tokens of texts for one embedding model.

    `max_tokens` is the maximum number of tokens of a text that the model reads completely. It is
    the model's limit minus the special tokens and the document prefix. Token counts also exclude
    special tokens and prefix, so they can be compared with `max_tokens`.
    """

    @property
    def max_tokens(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """A hash of all inputs that determine token counts and offsets."""

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text. It is 0 for an empty text."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) of each token of `text`, in characters, in order.

        The number of pairs is the result of `count_tokens`. The pairs do not cover characters that
        the tokenizer ignores, such as white space and control characters. If a character has
        several tokens, the pairs of these tokens are equal.
        """


class ModelTokenizer:
    """The tokenizer of one model. Several threads can use it."""

    def __init__(self, files: ModelFiles, definition: str) -> None:
        """`definition` is the text of a `tokenizer.json`."""
        self._tokenizer = _build_tokenizer(definition, is_lower_casing=files.is_lower_casing)
        self.max_positions = files.max_positions
        self.query_prefix = files.query_prefix
        self.document_prefix = files.document_prefix
        self.pad_id = files.pad_id
        self._special_count = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        prefix_count = self.count_tokens([self.document_prefix])[0]
        self._max_tokens = self.max_positions - self._special_count - prefix_count
        self._fingerprint = fingerprint(
            {
                "definition": hash_text(definition).hex(),
                "is_lower_casing": files.is_lower_casing,
                "max_tokens": self._max_tokens,
            }
        )

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens of a document's text, without special tokens and prefix."""
        return self._max_tokens

    @property
    def fingerprint(self) -> str:
        """A hash of all inputs that determine token counts and offsets."""
        return self._fingerprint

    def count_tokens(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text, without special tokens and prefix."""
        return [len(encoding.ids) for encoding in self._encode("", texts)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) of each token of `text`, in characters, in order."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def encode_documents(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, with prefix and special tokens.

        Raises:
            TextTooLongError: a text has more tokens than the model reads. Split the text first,
                because a search cannot find text that the model does not read.
        """
        rows = [self._complete(encoding) for encoding in self._encode(self.document_prefix, texts)]
        longest = max(range(len(rows)), key=lambda i: len(rows[i]), default=0)
        if rows and len(rows[longest]) > self.max_positions:
            text = texts[longest]
            raise TextTooLongError(
                f"a text of {self.count_tokens([text])[0]} tokens is longer than the "
                f"{self.max_tokens} tokens that its embedding model reads: {text[:60]!r}"
            )
        return rows

    def encode_queries(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each query, with prefix and special tokens.

        A query that is longer than the model's limit is truncated and not refused, because its
        beginning usually finds the same hits.
        """
        return [self._windows(encoding)[0] for encoding in self._encode(self.query_prefix, texts)]

    def encode_windows(self, text: str, *, limit: int) -> list[list[int]]:
        """Return the token ids of a text of any length, in windows that the model can read.

        There are at most `limit` windows. An empty text has one window of special tokens.
        """
        return self._windows(self._encode(self.document_prefix, [text])[0])[:limit]

    def _encode(self, prefix: str, texts: Sequence[str]) -> list[Encoding]:
        # JSON and terminals can produce lone surrogates, which a tokenizer does not accept.
        clean = [(prefix + text).encode("utf-8", "replace").decode() for text in texts]
        # The fast variant computes no offsets, which are not needed here.
        return list(self._tokenizer.encode_batch_fast(clean, add_special_tokens=False))

    def _windows(self, encoding: Encoding) -> list[list[int]]:
        encoding.truncate(self.max_positions - self._special_count)
        return [self._complete(window) for window in (encoding, *encoding.overflowing)]

    def _complete(self, encoding: Encoding) -> list[int]:
        return list(self._tokenizer.post_process(encoding).ids)


def load_tokenizer(model: str, cache: Path) -> ModelTokenizer:
    """Load the tokenizer of a model, but not the model. This takes tens of milliseconds.

    If a model has no `tokenizer.json`, the first load makes one with `transformers` and stores it
    in `cache`.

    Raises:
        ModelUnavailableError: the model cannot be found; the message says what to do.
    """
    return read_tokenizer(find_model_files(model), cache)


def read_tokenizer(files: ModelFiles, cache: Path) -> ModelTokenizer:
    """Load the tokenizer of a model whose files are known."""
    path = files.transformer_folder / "tokenizer.json"
    if not path.is_file():
        path = convert_tokenizer(files, cache)
    return ModelTokenizer(files, path.read_text(encoding="utf-8"))


def convert_tokenizer(files: ModelFiles, cache: Path) -> Path:
    """Make a `tokenizer.json` from the vocabulary files of an old model, and return its path."""
    made = cache / f"{files.model_hash[:16]}-tokenizer.json"
    if not made.is_file():
        # This import is here because it takes seconds, and few models have no tokenizer.json.
        from transformers import AutoTokenizer

        loaded = AutoTokenizer.from_pretrained(str(files.transformer_folder))
        write_atomically(made, loaded.backend_tokenizer.to_str().encode())
    return made


def _build_tokenizer(definition: str, *, is_lower_casing: bool) -> Tokenizer:
    tokenizer = Tokenizer.from_str(definition)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if is_lower_casing:
        steps = [normalizers.Lowercase()]
        if tokenizer.normalizer is not None:
            steps.append(tokenizer.normalizer)
        # Lower-casing is a step of the normalizer, so that offsets refer to the original text.
        tokenizer.normalizer = normalizers.Sequence(steps)
    return tokenizer
