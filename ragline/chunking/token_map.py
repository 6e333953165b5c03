"""Counts the tokens of any slice of a text without tokenizing the slice."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from ragline.embedder.tokenizer import TokenCounter

# A chunk has at most this many characters for each token of its budget. Without this limit, text
# with few tokens would make chunks that are too long for a reader and for a text index. Examples
# are runs of spaces, and a word of 100 kB that is one unknown token.
MAX_CHARS_PER_TOKEN = 16
# The text is tokenized in windows, because all tokens of 100 MB would not fit in memory.
WINDOW_CHARS = 32_768


class TokenMap:
    """The start positions of a text's tokens. Two bisections count the tokens of a slice.

    A slice that is tokenized separately can have a slightly different count, so finished chunks are
    counted exactly. The *size* of a slice is its number of tokens, and at least one token for each
    MAX_CHARS_PER_TOKEN characters.
    """

    def __init__(self, text: str, tokenizer: TokenCounter) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._starts = array("I")
        for start, end in _windows(text):
            self._starts.extend([start + first for first, _ in tokenizer.offsets(text[start:end])])

    def index(self, position: int) -> int:
        """Return the number of tokens that begin before a position."""
        return bisect_left(self._starts, position)

    def has_tokens(self, start: int, end: int) -> bool:
        """Whether the model reads anything except white space in a slice."""
        passage = self._text[start:end]
        if not passage.strip():
            return False
        # A slice can be inside one token, because a long unknown word is one token.
        begins = self.index(start) < self.index(end)
        return begins or self._tokenizer.count_tokens([passage])[0] > 0

    def size(self, start: int, end: int) -> int:
        """Return the size of a slice, as the class defines it."""
        return max(self.index(end) - self.index(start), (end - start) // MAX_CHARS_PER_TOKEN)

    def reach(self, start: int, size: int) -> int:
        """Return the last end of a slice that begins at `start` and has at most the size `size`.

        The slice has at least one character, even if this character exceeds `size`.
        """
        following = self.index(start) + size
        end = self._starts[following] if following < len(self._starts) else len(self._text)
        return max(start + 1, min(end, start + size * MAX_CHARS_PER_TOKEN))

    def reach_back(self, end: int, size: int) -> int:
        """Return the first start of a slice that ends at `end` and has at most the size `size`."""
        first = self.index(end) - size
        start = self._starts[first] if first >= 0 else 0
        return max(start, end - size * MAX_CHARS_PER_TOKEN)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Yield spans that cover a text. They are split at white space if there is any."""
    start = 0
    while start < len(text):
        end = start + WINDOW_CHARS
        if end < len(text):
            end = max(text.rfind(mark, start + 1, end) + 1 for mark in ("\n", " ")) or end
        yield start, min(end, len(text))
        start = end
