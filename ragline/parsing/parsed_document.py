"""What a reader makes of one document: its text, and the structure over that text.

Readers live beside this module; cutting the text into chunks is `ragline.chunking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Category = Literal["title", "text", "list_item", "table", "code"]


@dataclass(frozen=True, slots=True)
class Element:
    """One block of a document: a heading, a paragraph, a list item, a table or a listing.

    `text[start:end]` of the parsed document is the block's text. `heading_path` names the
    headings above the block, outermost first, without the block itself. `page` starts at 1
    and is None where the format has no pages.
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
    """A document's text and its elements, in reading order, not overlapping.

    Offsets count characters (code points) of `text`. `title` comes from the document itself
    and never from its path, or a rename would cost embeddings. `language` is an ISO 639-1
    code or None when it could not be told. The text never holds U+0000: PostgreSQL cannot
    store it, so readers put U+FFFD in its place.
    """

    text: str
    elements: tuple[Element, ...]
    file_type: str
    title: str | None = None
    language: str | None = None
    page_count: int | None = None
