"""Converts the elements of `unstructured` to the blocks of a document.

Readers that use a partition function of `unstructured` import this module first, because this
module makes `unstructured` work offline.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lxml import html

from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import Category
from ragline.parsing.spacy_replacement import install_offline_tagger

install_offline_tagger()

# This value disables the language detection of `unstructured`, which takes as long as reading.
# Ragline detects the language once for each document.
NO_LANGUAGES = [""]
_CATEGORIES: dict[str, Category] = {"ListItem": "list_item", "CodeSnippet": "code"}
_INVISIBLE = {"Image", "PageBreak"}
_SHOWN_ONCE = {"Header", "Footer"}


def add_elements(composed: ComposedText, elements: Iterable[Any]) -> None:
    """Add the elements in order. A header or footer that is repeated is added only once."""
    seen: set[str] = set()
    for element in elements:
        kind = type(element).__name__
        if kind in _INVISIBLE or (kind in _SHOWN_ONCE and element.text in seen):
            continue
        if kind in _SHOWN_ONCE:
            seen.add(element.text)
        add_element(composed, kind, element)


def add_element(composed: ComposedText, kind: str, element: Any) -> None:
    """Add one element. `kind` is the name of its class."""
    metadata, page = element.metadata, element.metadata.page_number
    if kind == "Title" and metadata.category_depth is not None:
        composed.add_heading(element.text, metadata.category_depth + 1, page=page)
    elif kind == "Table" and metadata.text_as_html:
        composed.add_table(table_rows(metadata.text_as_html), page=page)
    else:
        composed.add(_CATEGORIES.get(kind, "text"), element.text, page=page)


def table_rows(table_html: str) -> list[list[str]]:
    """Return the rows of an HTML table, as lists of cells.

    A cell that spans several columns is followed by empty cells.
    """
    table = html.fragment_fromstring(table_html, create_parent=True)
    rows = [[caption.text_content()] for caption in table.iter("caption")]
    for row in table.iter("tr"):
        cells: list[str] = []
        for cell in row.iterchildren("td", "th"):
            cells.append(" ".join(cell.text_content().split()))
            cells.extend([""] * (_count_columns(cell.get("colspan")) - 1))
        rows.append(cells)
    return rows


def _count_columns(colspan: str | None) -> int:
    return min(int(colspan), 50) if colspan and colspan.isdecimal() else 1
