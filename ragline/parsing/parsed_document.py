"""The result of parsing one document: its text, and the elements of that text.

The readers are in `readers`; `ragline.chunking` splits the text into chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Category = Literal["title", "text", "list_item", "table", "code"]


@dataclass(frozen=True, slots=True)
class Element:
    """One block of a document: a heading, a paragraph, a list item, a table or code.

    `text[start:end]` of the parsed document is the block's text. `heading_path` names the
    headings above the block, outermost first, without the block itself. `page` is the number of
    the page, from 1, or None if the format has no pages.
    """

    category: Category
    start: int
    end: int
    heading_path: tuple[str, ...] = ()
    page: int | None = None

    def to_json(self) -> list[Any]:
        return [self.category, self.start, self.end, list(self.heading_path), self.page]

    @classmethod
    def from_json(cls, row: list[Any]) -> Element:
        category, start, end, heading_path, page = row
        return cls(category, start, end, tuple(heading_path), page)


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document's text and its elements. The elements are in reading order and do not overlap.

    Offsets count characters (code points) of `text`. `title` comes from the document itself and
    never from its path, because a renamed file would then need new embeddings. `language` is an
    ISO 639-1 code, or None if the language is not known. The text contains no U+0000, because
    PostgreSQL cannot store this character. Readers replace it by U+FFFD.
    """

    text: str
    elements: tuple[Element, ...]
    file_type: str
    title: str | None = None
    language: str | None = None
    page_count: int | None = None
