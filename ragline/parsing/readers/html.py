"""Web pages (html)."""

from __future__ import annotations

from lxml import html as lxml_html

from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.unstructured_elements import compose_elements, prepare_unstructured
from ragline.parsing.text_encoding import decode_text


def read_html(content: bytes, file_type: str) -> ParsedDocument:
    """The page's text by its headings, without scripts and navigation."""
    return read_markup(decode_text(content), file_type)


def read_markup(markup: str, file_type: str) -> ParsedDocument:
    """The same for markup that is text already; other readers make it on their way."""
    prepare_unstructured()
    from unstructured.partition.html import partition_html  # noqa: PLC0415

    if not markup.strip():
        return compose_elements([], file_type)
    elements = partition_html(text=markup)
    return compose_elements(elements, file_type, title=_find_title(markup))


def _find_title(markup: str) -> str | None:
    root = lxml_html.document_fromstring(markup.encode("utf-8", "replace"))
    found = root.findtext(".//title")
    return str(found) if found else None
