"""Reads the text layer of a PDF with PDFium.

A gap between two lines begins a paragraph. A larger font marks a heading.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from ragline.errors import BrokenDocumentError, EmptyDocumentError, EncryptedDocumentError
from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument

# A line begins a paragraph if the gap above it is larger than this multiple of the line height.
PARAGRAPH_GAP = 1.7
# Text of at least this multiple of the usual size is a heading.
HEADING_RATIO = 1.15
MAX_HEADING_CHARS = 160
MAX_HEADING_LEVEL = 4
# The characters that PDFium returns for a hyphen that only divides a word at the end of a line.
SOFT_HYPHENS = ("\x02", "\ufffe", "\xad")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a page. `top` and `bottom` are distances of its edges from the page's bottom."""

    text: str
    size: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph or a heading on a page."""

    text: str
    size: float
    page: int


def read_pdf(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text layer of all pages. Unreadable pages are left out."""
    document = _open(content)
    try:
        page_count = len(document)
        blocks = [block for number in range(page_count) for block in _read_page(document, number)]
        title = document.get_metadata_value("Title")
    finally:
        document.close()
    if not blocks:
        raise EmptyDocumentError(
            f"its {page_count} pages have no text layer (only images, or empty); run OCR first"
        )
    return _compose(blocks, file_type, title, page_count)


def _open(content: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedDocumentError("the file is protected by a password") from error
        raise BrokenDocumentError(f"the PDF cannot be opened ({error})") from error


def _read_page(document: pypdfium2.PdfDocument, number: int) -> Iterator[_Block]:
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return
    paragraph: list[_Line] = []
    for line in _read_lines(text_page):
        if paragraph and _begins_block(paragraph[-1], line):
            yield _join(paragraph, number + 1)
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield _join(paragraph, number + 1)


def _read_lines(text_page: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    """Yield the lines of a page in the order of its content, column by column."""
    text = text_page.get_text_range()
    start = 0
    for raw in text.split("\r\n"):
        stripped = raw.strip()
        if stripped:
            index = start + len(raw) - len(raw.lstrip())
            _, bottom, _, top = _char_box(text_page, index)
            size = pdfium.FPDFText_GetFontSize(text_page.raw, index)
            # If the text matrix is scaled, PDFium returns the font size 1. Then the height of the
            # character's box is the size.
            yield _Line(stripped, max(size, top - bottom), top, bottom)
        start += len(raw) + 2


def _char_box(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    found = pdfium.FPDFText_GetCharBox(
        text_page.raw, index, ctypes.byref(left), ctypes.byref(right), ctypes.byref(bottom),
        ctypes.byref(top),
    )  # fmt: skip
    if not found:
        return 0.0, 0.0, 0.0, 0.0
    return left.value, bottom.value, right.value, top.value


def _begins_block(last: _Line, line: _Line) -> bool:
    has_other_size = abs(line.size - last.size) > 0.1 * max(line.size, last.size)
    gap = last.bottom - line.bottom
    # A line above the last line begins the next column.
    return has_other_size or gap > PARAGRAPH_GAP * max(line.size, 1) or gap < -line.size


def _join(lines: list[_Line], page: int) -> _Block:
    text = ""
    for line in lines:
        if text.endswith(SOFT_HYPHENS):
            text = text[:-1] + line.text
        else:
            text = f"{text} {line.text}" if text else line.text
    for sign in SOFT_HYPHENS:
        text = text.replace(sign, "")
    return _Block(text, max(line.size for line in lines), page)


def _compose(
    blocks: list[_Block], file_type: str, title: str | None, page_count: int
) -> ParsedDocument:
    levels = _heading_levels(blocks)
    text = ComposedText()
    for block in blocks:
        level = levels.get(round(block.size)) if _may_be_heading(block.text) else None
        if level is None:
            text.add("text", block.text, page=block.page)
        else:
            text.add_heading(block.text, level, page=block.page)
    return text.finish(file_type, title=title, page_count=page_count)


def _may_be_heading(text: str) -> bool:
    return len(text) <= MAX_HEADING_CHARS and sum(map(str.isalpha, text)) * 2 > len(text)


def _heading_levels(blocks: list[_Block]) -> dict[int, int]:
    """Return the heading level of each font size that is clearly above the usual size."""
    weights: Counter[int] = Counter()
    for block in blocks:
        weights[round(block.size)] += len(block.text)
    ((body, _),) = weights.most_common(1)
    larger = sorted((size for size in weights if size >= HEADING_RATIO * body), reverse=True)
    return {size: min(rank, MAX_HEADING_LEVEL) for rank, size in enumerate(larger, start=1)}
