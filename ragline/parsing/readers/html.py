"""HTML, by `unstructured` after some mending of the page."""

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
# `unstructured` goes down a page by recursion, and its parser drops what lies deeper than 255.
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
    declared = _CHARSET.search(content[:HEAD_BYTES])
    return read_html_text(
        decode_text(
            content, declared=declared.group(1).decode("ascii", "replace") if declared else None
        ),
        file_type,
    )


def read_html_text(text: str, file_type: str, *, title: str | None = None) -> ParsedDocument:
    """A page's visible text. Its `<title>` names it unless a title is given."""
    composed = ComposedText()
    page_title = add_html(composed, text)
    return composed.finish(file_type, title=title or page_title)


def add_html(composed: ComposedText, text: str) -> str | None:
    """Add a page's visible text to a document; its `<title>`."""
    parser = html.HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        page = html.document_fromstring(_DECLARATION.sub("", text, count=1), parser=parser)
    except etree.ParserError as error:
        raise EmptyDocumentError("the page holds no text") from error
    title: str | None = page.findtext(".//title")
    _show_what_is_shown(page)
    _unfold_layout_tables(page)
    if _depth(page) > MAX_DEPTH:
        _add_flat(composed, page)
    else:
        mended = html.tostring(page, encoding="unicode")
        add_elements(composed, partition_html(text=mended, languages=NO_LANGUAGES))
    return title


def _depth(page: html.HtmlElement) -> int:
    deepest = depth = 0
    for event, _ in etree.iterwalk(page, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


def _show_what_is_shown(page: html.HtmlElement) -> None:
    """Drop what a browser hides; open what it would open and `unstructured` skips."""
    for element in _HIDDEN(page):
        if element.getparent() is not None:
            element.drop_tree()
    for element in page.iter("details"):
        element.tag = "div"
    for element in page.iter("summary"):
        element.tag = "p"


def _unfold_layout_tables(page: html.HtmlElement) -> None:
    """Make blocks of tables that only arrange other blocks: mails are full of them."""
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
    """The text of a page that is nested too deeply to be walked, block by block."""
    for element in page.iter():
        if isinstance(element.tag, str) and element.tag not in {"script", "style", "title"}:
            composed.add("text", " ".join((element.text or "").split()))
        composed.add("text", " ".join((element.tail or "").split()))
