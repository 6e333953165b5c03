"""Two ways to put a parsed document together, and the outline that both keep.

`ComposedText` joins blocks into a new text; `SourceText` marks blocks inside a text that
stays as it was in the file. What a block is, a reader decides; readers live in `readers`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragline.parsing.parsed_document import Category, Element, ParsedDocument
from ragline.parsing.table_rows import Row, format_table
from ragline.storable_text import clean_text

BLANK_LINE = "\n\n"
MAX_HEADING_CHARS = 200
MAX_TITLE_CHARS = 300
# A heading further down names a section and not the document.
TITLE_WITHIN_ELEMENTS = 5
# What programs write where a title belongs: the file's name, or that there is none.
_NO_TITLE = re.compile(
    r"untitled\b.*|microsoft \w+ - .*|(powerpoint presentation|document|slide) ?\d*|[\W_]*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|indd|tex|dvi|txt|rtf|od[tps]|html?|qxd|wpd|p65|fm|pmd)",
    re.IGNORECASE,
)


class Outline:
    """The headings above the current place, outermost first, and the document's title."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        self._headings: list[str] = []
        self._highest: list[tuple[int, str, int]] = []

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self._headings)

    def close_sections(self, level: int) -> None:
        """Leave every section of this level and deeper."""
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
            self._headings.pop()

    def open_section(self, heading: str, level: int, *, place: int) -> None:
        """Go into a section. `place` is how many elements stand before its heading."""
        self.close_sections(level)
        heading = one_line(heading)[:MAX_HEADING_CHARS]
        self._levels.append(level)
        self._headings.append(heading)
        if not self._highest or level <= self._highest[0][0]:
            same = [one for one in self._highest if one[0] == level]
            self._highest = [*same, (level, heading, place)][:2]

    def title(self, given: str | None) -> str | None:
        """The title that the document gives itself, else the one heading above all others.

        Where several headings are on the highest level, each names a part and none the whole.
        """
        named = one_line(clean_text(given or ""))[:MAX_TITLE_CHARS]
        if named and not _NO_TITLE.fullmatch(named):
            return named
        if len(self._highest) == 1:
            _, heading, place = self._highest[0]
            return heading if place < TITLE_WITHIN_ELEMENTS else None
        return None


class ComposedText:
    """A text made of blocks with a blank line between them, in the order of adding."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._elements: list[Element] = []
        self._length = 0
        self._outline = Outline()

    def add(self, category: Category, text: str, *, page: int | None = None) -> None:
        """Add a block; one without visible characters is left out."""
        text = clean_text(text).strip()
        if not text:
            return
        if self._parts:
            self._parts.append(BLANK_LINE)
            self._length += len(BLANK_LINE)
        start, self._length = self._length, self._length + len(text)
        self._parts.append(text)
        self._elements.append(Element(category, start, self._length, self._outline.path, page))

    def add_heading(self, text: str, level: int, *, page: int | None = None) -> None:
        """Add a heading; what follows stands below it until one of its level or higher."""
        text = one_line(clean_text(text))
        if text:
            self._outline.close_sections(level)
            self.add("title", text, page=page)
            self._outline.open_section(text, level, place=len(self._elements) - 1)

    def add_table(self, rows: Sequence[Row], *, page: int | None = None) -> None:
        """Add a table, a long one as several blocks that each begin with its header row."""
        for text in format_table(rows):
            self.add("table", text, page=page)

    def finish(
        self, file_type: str, *, title: str | None = None, page_count: int | None = None
    ) -> ParsedDocument:
        return ParsedDocument(
            text="".join(self._parts),
            elements=tuple(self._elements),
            file_type=file_type,
            title=self._outline.title(title),
            page_count=page_count,
        )


class SourceText:
    """A file's own text with blocks marked in it, in the order of the text."""

    def __init__(self, text: str) -> None:
        self.text = clean_text(text)
        self._elements: list[Element] = []
        self._outline = Outline()

    def add(self, category: Category, start: int, end: int) -> None:
        """Mark a block, less the white space at its ends; a blank one is left out."""
        start, end = self._strip(start, end)
        if start < end:
            self._elements.append(Element(category, start, end, self._outline.path))

    def add_heading(self, start: int, end: int, level: int, *, heading: str | None = None) -> None:
        """Mark a heading. `heading` is its text without markup, where that differs."""
        start, end = self._strip(start, end)
        heading = one_line(heading if heading is not None else self.text[start:end])
        if heading and start < end:
            self._outline.close_sections(level)
            self.add("title", start, end)
            self._outline.open_section(heading, level, place=len(self._elements) - 1)

    def open_section(self, heading: str, level: int) -> None:
        """Begin a section whose heading is part of the text that follows."""
        self._outline.open_section(heading, level, place=len(self._elements))

    def close_sections(self, level: int) -> None:
        self._outline.close_sections(level)

    def finish(self, file_type: str, *, title: str | None = None) -> ParsedDocument:
        return ParsedDocument(
            text=self.text,
            elements=tuple(self._elements),
            file_type=file_type,
            title=self._outline.title(title),
        )

    def _strip(self, start: int, end: int) -> tuple[int, int]:
        block = self.text[start:end]
        return end - len(block.lstrip()), start + len(block.rstrip())


def one_line(text: str) -> str:
    """A text with every run of white space as one blank."""
    return " ".join(text.split())
