"""How many tokens any slice of a text has, without tokenizing the slice."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from ragline.embedder.tokenizer import TokenCounter

# A chunk holds at most this many characters per token of its budget. Text that costs few
# tokens (runs of blanks, a word of 100 kB that the model reads as one unknown) would otherwise
# make chunks that neither a reader nor a text index can hold.
CHARS_PER_TOKEN = 16
# A list of the tokens of 100 MB would not fit in memory; their positions do.
WINDOW_CHARS = 32_768


class TokenMap:
    """Where the tokens of a text begin: two bisections count those of any slice.

    A slice tokenized by itself may count a little differently, so finished chunks are counted
    exactly. The *size* of a slice is its number of tokens, or one for each CHARS_PER_TOKEN
    characters where that is more.
    """

    def __init__(self, text: str, tokenizer: TokenCounter) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._starts = array("I")
        for start, end in _windows(text):
            self._starts.extend([start + first for first, _ in tokenizer.offsets(text[start:end])])

    def index(self, position: int) -> int:
        """How many tokens begin before a position."""
        return bisect_left(self._starts, position)

    def has_tokens(self, start: int, end: int) -> bool:
        """Whether the model reads anything of a slice but white space."""
        passage = self._text[start:end]
        if not passage.strip():
            return False
        # Where no token begins one may pass through: a long unknown word is one token.
        begins = self.index(start) < self.index(end)
        return begins or self._tokenizer.count_tokens([passage])[0] > 0

    def size(self, start: int, end: int) -> int:
        """The size of a slice."""
        return max(self.index(end) - self.index(start), (end - start) // CHARS_PER_TOKEN)

    def reach(self, start: int, size: int) -> int:
        """The furthest end of a slice from `start` that is no larger than `size`, or one
        character on where even that is larger.
        """
        following = self.index(start) + size
        end = self._starts[following] if following < len(self._starts) else len(self._text)
        return max(start + 1, min(end, start + size * CHARS_PER_TOKEN))

    def reach_back(self, end: int, size: int) -> int:
        """The furthest start of a slice up to `end` that is no larger than `size`."""
        first = self.index(end) - size
        start = self._starts[first] if first >= 0 else 0
        return max(start, end - size * CHARS_PER_TOKEN)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Spans that cover a text, cut at white space where there is any."""
    start = 0
    while start < len(text):
        end = start + WINDOW_CHARS
        if end < len(text):
            end = max(text.rfind(mark, start + 1, end) + 1 for mark in ("\n", " ")) or end
        yield start, min(end, len(text))
        start = end
