"""Reads HTML with `unstructured`. The page is corrected first."""

from __future__ import annotations

import re

from lxml import etree, html

from ragline.errors import EmptyDocumentError
from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.partitioned_elements import NO_LANGUAGES, add_elements
from ragline.parsing.text_encoding import decode_text

from unstructured.partition.html import partition_html  # isort: skip  # after the one above

HEAD_BYTES = 4096
# A page with deeper elements is read without `unstructured`, which reads a page by recursion and
# drops elements below level 255.
MAX_DEPTH = 100
_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_HIDDEN = etree.XPath(
    "//*[@hidden or contains(translate(@style, ' ', ''), 'display:none')]"
    "[not(self::html or self::body)]"
)
_HEADINGS = tuple(f"h{level}" for level in range(1, 7))
_TABLE_PARTS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption")


def read_html(content: bytes, file_type: str) -> ParsedDocument:
    """Read the visible text of a page, decoded with its declared encoding."""
    declared = _CHARSET.search(content[:HEAD_BYTES])
    return read_html_text(
        decode_text(
            content, declared=declared.group(1).decode("ascii", "replace") if declared else None
        ),
        file_type,
    )


def read_html_text(text: str, file_type: str, *, title: str | None = None) -> ParsedDocument:
    """Read the visible text of a page. If `title` is None, the page's `<title>` is the title."""
    composed = ComposedText()
    page_title = add_html(composed, text)
    return composed.finish(file_type, title=title or page_title)


def add_html(composed: ComposedText, text: str) -> str | None:
    """Add the visible text of a page to a document, and return its `<title>`."""
    parser = html.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        page = html.document_fromstring(_DECLARATION.sub("", text, count=1), parser=parser)
    except etree.ParserError as error:
        raise EmptyDocumentError("the page contains no text") from error
    title: str | None = page.findtext(".//title")
    _apply_visibility(page)
    _replace_layout_tables(page)
    if _measure_depth(page) > MAX_DEPTH:
        _add_flat(composed, page)
    else:
        corrected = html.tostring(page, encoding="unicode")
        add_elements(composed, partition_html(text=corrected, languages=NO_LANGUAGES))
    return title


def _measure_depth(page: html.HtmlElement) -> int:
    deepest = depth = 0
    for event, _ in etree.iterwalk(page, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


def _apply_visibility(page: html.HtmlElement) -> None:
    """Remove elements that a browser hides.

    Elements `details` are renamed, because `unstructured` skips them.
    """
    for element in _HIDDEN(page):
        if element.getparent() is not None:
            element.drop_tree()
    for element in page.iter("details"):
        element.tag = "div"
    for element in page.iter("summary"):
        element.tag = "p"


def _replace_layout_tables(page: html.HtmlElement) -> None:
    """Replace layout tables by blocks. Such a table, as in e-mails, only arranges other blocks."""
    for table in list(page.iter("table")):
        if _is_layout(table):
            for part in table.iter(*_TABLE_PARTS):
                if next(part.iterancestors("table"), None) is table or part is table:
                    part.tag = "div"


def _is_layout(table: html.HtmlElement) -> bool:
    if next(table.iterdescendants("table", *_HEADINGS), None) is not None:
        return True
    return all(len(row.findall("td")) + len(row.findall("th")) <= 1 for row in table.iter("tr"))


def _add_flat(composed: ComposedText, page: html.HtmlElement) -> None:
    """Add the text of a page that is nested too deeply for `unstructured`, block by block."""
    for element in page.iter():
        if isinstance(element.tag, str) and element.tag not in {"script", "style", "title"}:
            composed.add("text", " ".join((element.text or "").split()))
        composed.add("text", " ".join((element.tail or "").split()))
