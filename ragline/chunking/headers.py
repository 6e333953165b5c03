"""Writes the headers of chunks: the line of title and headings that precedes a chunk's text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ragline.embedder.tokenizer import TokenCounter

SEPARATOR = " \u203a "  # a single right-pointing angle quotation mark
# The maximum share of a chunk's tokens that its header can use. A longer header is shortened,
# because the text of a chunk matters more than its headings.
MAX_SHARE = 0.25

# A limit in tokens is not sufficient, because a word of a hundred kilobytes can be one token.
MAX_HEADING_CHARS = 300
# Markup of headings that can be in the text, but not in heading paths.
MARKUP = "#=*-~^ "

HeadingPath = tuple[str, ...]


class Headers:
    """The headers of a document's sections, each at most a quarter of a chunk's tokens.

    `paths` are the sections in which chunks can begin. Their headers are made together, because it
    is slow to count the tokens of each header separately.
    """

    def __init__(
        self, title: str | None, paths: Iterable[HeadingPath], limit: int, tokenizer: TokenCounter
    ) -> None:
        self._title = one_line(title or "")[:MAX_HEADING_CHARS]
        self._max_tokens = int(limit * MAX_SHARE)
        self._tokenizer = tokenizer
        self._headers: dict[HeadingPath, tuple[str, int]] = {}
        parts_of = {path: self._parts(path) for path in paths}
        self._make(list(dict.fromkeys(parts_of.values())))
        self._counts = {path: self._headers[parts][1] for path, parts in parts_of.items()}

    def token_count(self, path: HeadingPath) -> int:
        """Return the maximum number of tokens in the header of a chunk of this section."""
        return self._counts[path]

    def header(self, path: HeadingPath, text: str) -> str:
        """Return the header of a chunk. The last heading is left out if the text begins with it."""
        parts = self._parts(path)
        if parts and _begins_with(text, parts[-1]):
            parts = parts[:-1]
        return self._get(parts)[0]

    def _parts(self, path: HeadingPath) -> HeadingPath:
        headings = tuple(line[:MAX_HEADING_CHARS] for line in map(one_line, path) if line)
        if not self._title or (headings and headings[0].casefold() == self._title.casefold()):
            return headings
        return (self._title, *headings)

    def _get(self, parts: HeadingPath) -> tuple[str, int]:
        if parts not in self._headers:
            self._make([parts])
        return self._headers[parts]

    def _make(self, headers: list[HeadingPath]) -> None:
        texts = [SEPARATOR.join(parts) for parts in headers]
        counts = self._tokenizer.count_tokens(texts)
        for parts, text, count in zip(headers, texts, counts, strict=True):
            is_short = count <= self._max_tokens
            self._headers[parts] = (text, count) if is_short else self._shorten(list(parts))

    def _shorten(self, parts: list[str]) -> tuple[str, int]:
        """Return a shorter header and its number of tokens.

        Middle headings are left out first, because they inform least.
        """
        while len(parts) > 2 and self._count(parts) > self._max_tokens:
            del parts[1]
        text = SEPARATOR.join(parts)
        limit = self._max_tokens
        while (count := self._tokenizer.count_tokens([text])[0]) > self._max_tokens:
            offsets = self._tokenizer.offsets(text)
            limit = min(limit, len(offsets) - 1)
            text = text[: offsets[limit][0]].rstrip(SEPARATOR) if limit > 0 else ""
            limit -= 1
        return text, count

    def _count(self, parts: Sequence[str]) -> int:
        return self._tokenizer.count_tokens([SEPARATOR.join(parts)])[0]


def one_line(text: str) -> str:
    """Replace each run of white space by one space."""
    return " ".join(text.split())


def _begins_with(text: str, heading: str) -> bool:
    # The text can have longer runs of white space than the heading. So twice the length of the
    # heading is read.
    beginning = one_line(text[: 2 * len(heading) + 64]).lstrip(MARKUP).casefold()
    following = beginning[len(heading) : len(heading) + 1]
    return beginning.startswith(heading.casefold()) and not following.isalnum()
