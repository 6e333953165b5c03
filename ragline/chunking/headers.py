"""The line of titles and headings that the model reads in front of a chunk's text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ragline.embedder.tokenizer import TokenCounter

SEPARATOR = " \u203a "  # a single right-pointing angle quotation mark
# A longer header is shortened: what a chunk says counts for more than where it stands.
MAX_SHARE = 0.25

# A word of a hundred kilobytes is one token too.
MAX_HEADING_CHARS = 300
# Markup of headings that a reader may leave in the text, but not in heading paths.
MARKUP = "#=*-~^ "

HeadingPath = tuple[str, ...]


class Headers:
    """Headers of one document's sections, each at most a quarter of a chunk's tokens.

    `paths` are the sections that chunks may begin in; their headers are written at once, since
    counting one by one is slow.
    """

    def __init__(
        self, title: str | None, paths: Iterable[HeadingPath], limit: int, tokenizer: TokenCounter
    ) -> None:
        self._title = one_line(title or "")[:MAX_HEADING_CHARS]
        self._max_tokens = int(limit * MAX_SHARE)
        self._tokenizer = tokenizer
        self._made: dict[HeadingPath, tuple[str, int]] = {}
        parts_of = {path: self._parts(path) for path in paths}
        self._write(list(dict.fromkeys(parts_of.values())))
        self._counts = {path: self._made[parts][1] for path, parts in parts_of.items()}

    def token_count(self, path: HeadingPath) -> int:
        """The tokens of the header of a section; no chunk of it has a longer one."""
        return self._counts[path]

    def header(self, path: HeadingPath, text: str) -> str:
        """The header of a chunk of a section; a heading that begins its text is not repeated."""
        parts = self._parts(path)
        if parts and _begins_with(text, parts[-1]):
            parts = parts[:-1]
        return self._look_up(parts)[0]

    def _parts(self, path: HeadingPath) -> HeadingPath:
        headings = tuple(line[:MAX_HEADING_CHARS] for line in map(one_line, path) if line)
        if not self._title or (headings and headings[0].casefold() == self._title.casefold()):
            return headings
        return (self._title, *headings)

    def _look_up(self, parts: HeadingPath) -> tuple[str, int]:
        if parts not in self._made:
            self._write([parts])
        return self._made[parts]

    def _write(self, headers: list[HeadingPath]) -> None:
        texts = [SEPARATOR.join(parts) for parts in headers]
        counts = self._tokenizer.count_tokens(texts)
        for parts, text, count in zip(headers, texts, counts, strict=True):
            is_short = count <= self._max_tokens
            self._made[parts] = (text, count) if is_short else self._shorten(list(parts))

    def _shorten(self, parts: list[str]) -> tuple[str, int]:
        """Leave out the middle first: the title and the nearest heading say the most."""
        while len(parts) > 2 and self._count(parts) > self._max_tokens:
            del parts[1]
        text = SEPARATOR.join(parts)
        kept = self._max_tokens
        while (count := self._tokenizer.count_tokens([text])[0]) > self._max_tokens:
            offsets = self._tokenizer.offsets(text)
            kept = min(kept, len(offsets) - 1)
            text = text[: offsets[kept][0]].rstrip(SEPARATOR) if kept > 0 else ""
            kept -= 1
        return text, count

    def _count(self, parts: Sequence[str]) -> int:
        return self._tokenizer.count_tokens([SEPARATOR.join(parts)])[0]


def one_line(text: str) -> str:
    """A text with every run of white space as one blank."""
    return " ".join(text.split())


def _begins_with(text: str, heading: str) -> bool:
    # White space in the text may be wider than in the heading; twice its length is enough.
    beginning = one_line(text[: 2 * len(heading) + 64]).lstrip(MARKUP).casefold()
    following = beginning[len(heading) : len(heading) + 1]
    return beginning.startswith(heading.casefold()) and not following.isalnum()
