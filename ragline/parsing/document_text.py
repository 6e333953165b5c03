"""Two builders of a parsed document, and the outline of headings that both use.

`ComposedText` makes a new text from blocks; `SourceText` marks blocks in the unchanged text of the
file. The readers in `readers` decide what a block is.
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
# A heading can be the title only if fewer elements than this precede it. A later heading names a
# section and not the document.
TITLE_WITHIN_ELEMENTS = 5
# Titles that programs write by default: the file name, or a placeholder.
_NO_TITLE = re.compile(
    r"untitled\b.*|microsoft \w+ - .*|(powerpoint presentation|document|slide) ?\d*|[\W_]*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|indd|tex|dvi|txt|rtf|od[tps]|html?|qxd|wpd|p65|fm|pmd)",
    re.IGNORECASE,
)


class Outline:
    """The headings above the current position, outermost first, and the title of the document."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        self._headings: list[str] = []
        self._highest: list[tuple[int, str, int]] = []

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self._headings)

    def close_sections(self, level: int) -> None:
        """End every section of this level and of deeper levels."""
        while self._levels and self._levels[-1] >= level:
            self._levels.pop()
            self._headings.pop()

    def open_section(self, heading: str, level: int, *, element_index: int) -> None:
        """Begin a section. `element_index` counts the elements before its heading."""
        self.close_sections(level)
        heading = collapse_whitespace(heading)[:MAX_HEADING_CHARS]
        self._levels.append(level)
        self._headings.append(heading)
        if not self._highest or level <= self._highest[0][0]:
            same = [entry for entry in self._highest if entry[0] == level]
            self._highest = [*same, (level, heading, element_index)][:2]

    def title(self, stated: str | None) -> str | None:
        """Return the title that the document states, or its only heading of the highest level.

        If several headings have the highest level, each names a part of the document. The title is
        then None.
        """
        title = collapse_whitespace(clean_text(stated or ""))[:MAX_TITLE_CHARS]
        if title and not _NO_TITLE.fullmatch(title):
            return title
        if len(self._highest) == 1:
            _, heading, element_index = self._highest[0]
            return heading if element_index < TITLE_WITHIN_ELEMENTS else None
        return None


class ComposedText:
    """Builds a new text from blocks. The blocks are in the order of their addition.

    A blank line separates them.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._elements: list[Element] = []
        self._length = 0
        self._outline = Outline()

    def add(self, category: Category, text: str, *, page: int | None = None) -> None:
        """Add a block. A blank block is left out."""
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
        """Add a heading. Its section ends at the next heading of the same or a higher level."""
        text = collapse_whitespace(clean_text(text))
        if text:
            self._outline.close_sections(level)
            self.add("title", text, page=page)
            self._outline.open_section(text, level, element_index=len(self._elements) - 1)

    def add_table(self, rows: Sequence[Row], *, page: int | None = None) -> None:
        """Add a table. A long table becomes several blocks that each begin with its header row."""
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
    """The unchanged text of a file, and the positions of its blocks.

    Blocks are marked in the order in which they occur in the text.
    """

    def __init__(self, text: str) -> None:
        self.text = clean_text(text)
        self._elements: list[Element] = []
        self._outline = Outline()

    def add(self, category: Category, start: int, end: int) -> None:
        """Mark a block without the white space at its ends. A blank block is left out."""
        start, end = self._strip(start, end)
        if start < end:
            self._elements.append(Element(category, start, end, self._outline.path))

    def add_heading(self, start: int, end: int, level: int, *, heading: str | None = None) -> None:
        """Mark a heading. `heading` is its text without markup; None means the marked text."""
        start, end = self._strip(start, end)
        heading = collapse_whitespace(heading if heading is not None else self.text[start:end])
        if heading and start < end:
            self._outline.close_sections(level)
            self.add("title", start, end)
            self._outline.open_section(heading, level, element_index=len(self._elements) - 1)

    def open_section(self, heading: str, level: int) -> None:
        """Begin a section whose heading is part of the text that follows."""
        self._outline.open_section(heading, level, element_index=len(self._elements))

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


def collapse_whitespace(text: str) -> str:
    """Replace each run of white space by one space."""
    return " ".join(text.split())
