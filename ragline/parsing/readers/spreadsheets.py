"""Reads tables (csv, tsv, xlsx, xls). A sheet's name is a heading. A row is a line of cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from ragline.errors import EncryptedDocumentError
from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.text_encoding import decode_text

SAMPLE_CHARS = 8192
DELIMITERS = ",;\t|"
# The maximum number of rows of a sheet, because a sheet can declare a million empty rows.
MAX_ROWS = 200_000


def read_separated_values(content: bytes, file_type: str) -> ParsedDocument:
    """Read a csv or tsv file. The delimiter is detected in its first lines."""
    text = decode_text(content)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_find_delimiter(text, file_type))
    return _compose([(None, list(rows))], file_type)


def read_xlsx(content: bytes, file_type: str) -> ParsedDocument:
    """Read all sheets with their values. The value of a formula is its last computed value."""
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        sheets = [(sheet.title, _read_rows(sheet)) for sheet in book.worksheets]
        title = book.properties.title
    finally:
        book.close()
    return _compose(sheets, file_type, title)


def read_xls(content: bytes, file_type: str) -> ParsedDocument:
    """Read all sheets of a workbook in the old format xls."""
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=content)
    except xlrd.biffh.XLRDError as error:
        if "encrypted" in str(error).lower():
            raise EncryptedDocumentError("the workbook is protected by a password") from error
        raise
    sheets = [
        (
            sheet.name,
            [[_format_cell(value) for value in sheet.row_values(n)] for n in range(sheet.nrows)],
        )
        for sheet in book.sheets()
    ]
    return _compose(sheets, file_type)


def _find_delimiter(text: str, file_type: str) -> str:
    if file_type == "tsv":
        return "\t"
    try:
        return csv.Sniffer().sniff(text[:SAMPLE_CHARS], DELIMITERS).delimiter
    except csv.Error:
        return ","


def _read_rows(sheet: object) -> list[list[str]]:
    rows: Iterable[Sequence[object]] = sheet.iter_rows(max_row=MAX_ROWS, values_only=True)  # type: ignore[attr-defined]
    return [[_format_cell(value) for value in row] for row in rows]


def _format_cell(value: object) -> str:
    """Format a cell as text. Whole numbers have no fraction. An empty cell has the text ""."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _compose(
    sheets: Iterable[tuple[str | None, list[list[str]]]], file_type: str, title: str | None = None
) -> ParsedDocument:
    text = ComposedText()
    for name, rows in sheets:
        if any(cell.strip() for row in rows for cell in row):
            if name is not None:
                text.add_heading(name, 1)
            text.add_table(rows)
    return text.finish(file_type, title=title)
