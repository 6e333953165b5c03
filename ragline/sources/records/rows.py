"""Reads the rows of a file of records (JSON lines, CSV or Parquet) as a stream.

`fields` describes the meaning of the columns.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from io import TextIOWrapper
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal

from ragline.sources.files.paths import is_unicode
from ragline.sources.json_values import encode_values
from ragline.sources.records.format_check import open_checked

Format = Literal["jsonl", "parquet", "csv"]
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
# The number of rows of Parquet that are converted to Python values together.
BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    `position` names the row for people, such as `line 7`. `key` is the value in the column of the
    id. `values` returns the values by column; it is a function, because the conversion can be slow.
    `content` contains the bytes of the row in the file; it is None if the format has no such bytes.
    `error` is the reason why the row is malformed, or None.
    """

    position: str
    key: Any
    values: Callable[[], dict[str, Any]]
    content: bytes | None = None
    error: str | None = None

    def read_content(self) -> bytes:
        """The bytes of the row in the file, or the values as JSON if `content` is None."""
        return encode_values(self.values()) if self.content is None else self.content


def guess_format(uri: str) -> Format:
    """The format of a file by its suffix. An unknown suffix means JSON lines.

    The suffix of a compression is ignored.
    """
    path = PurePosixPath(uri)
    suffix = path.with_suffix("").suffix if path.suffix.lower() in COMPRESSIONS else path.suffix
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
    return formats.get(suffix.lower(), "jsonl")


def read_rows(file: BinaryIO, name: Format, columns: Sequence[str], limit: int) -> Iterator[Row]:
    """Yield the rows in the order of the file. The first of `columns` is the id.

    `limit` is the maximum size of a document in bytes.

    Raises:
        ValueError: a column is missing, or the file has another format.
        OSError, EOFError: the file cannot be read to its end.
    """
    if name == "parquet":
        return _read_parquet(file, columns)
    checked = open_checked(file, name, columns[0])
    return _read_csv(checked, columns, limit) if name == "csv" else _read_json(checked, columns[0])


def _read_json(file: BinaryIO, key: str) -> Iterator[Row]:
    for number, raw in enumerate(file, start=1):
        content = raw.rstrip(b"\r\n")
        if content.strip():
            yield _parse_json(f"line {number}", content, key)


def _parse_json(position: str, content: bytes, key: str) -> Row:
    broken = partial(Row, position, None, dict, content)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        return broken(f"is not JSON ({error})")
    if not isinstance(record, dict):
        return broken("is not a JSON object")
    return Row(position, record.get(key), lambda: record, content)


def _read_csv(file: BinaryIO, columns: Sequence[str], limit: int) -> Iterator[Row]:
    # Python's limit of 131,072 characters is too low for long texts. Some limit is needed to end a
    # quote that is not closed. The limit applies to the whole process, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), min(limit, 2**31 - 1)))
    # With surrogateescape, invalid UTF-8 only affects its own row.
    text = TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        _require_columns(header, columns)
        yield from _read_cells(reader, lines, header, columns[0])
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not CSV ({error})") from error
    finally:
        text.detach()


class _Lines:
    """The lines of a text. `last` is the line that was read last."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self.last = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last = next(self._text)
        return self.last


def _read_cells(reader: Any, lines: _Lines, header: list[str], key: str) -> Iterator[Row]:
    """Yield the rows below the header.

    If a row on one line has a wrong quote, only this row fails. If such a row has several lines,
    the reading ends with an error, because the start of the next row is not known.
    """
    start = reader.line_num + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > start or "unexpected end" in str(error):
                raise
            content = lines.last.encode("utf-8", "surrogateescape")
            yield Row(f"line {start}", None, dict, content, f"is not CSV ({error})")
        else:
            if cells:
                yield _parse_cells(f"line {start}", header, cells, key)
        start = reader.line_num + 1


def _parse_cells(position: str, header: list[str], cells: list[str], key: str) -> Row:
    values = dict(zip(header, cells, strict=False))
    error = None
    if len(cells) != len(header):
        error = f"has {len(cells)} cells and the header has {len(header)}"
    elif not all(map(is_unicode, cells)):
        error = "is not UTF-8"
    content = None if error is None else encode_values({"cells": cells})
    return Row(position, values.get(key), lambda: values, content, error)


def _read_parquet(file: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    # pyarrow is slow to import, and only this format needs it.
    import pyarrow.parquet

    number = 0
    with pyarrow.parquet.ParquetFile(file) as parquet:
        header = parquet.schema_arrow.names
        _require_columns(header, columns)
        for batch in _read_batches(parquet):
            rows = cache(batch.to_pylist)
            for index, key in enumerate(batch.column(header.index(columns[0])).to_pylist()):
                number += 1
                yield Row(f"row {number}", key, partial(_select_row, rows, index))


def _read_batches(parquet: Any) -> Iterator[Any]:
    """Yield the batches of a file, one row group after another.

    With one call for all row groups, pyarrow would keep the whole file in memory.
    """
    for group in range(parquet.num_row_groups):
        yield from parquet.iter_batches(BATCH_ROWS, row_groups=[group], use_threads=False)


def _select_row(rows: Callable[[], list[dict[str, Any]]], index: int) -> dict[str, Any]:
    return rows()[index]


def _require_columns(header: Sequence[str], columns: Sequence[str]) -> None:
    if not header:
        raise ValueError("the header is missing; the first line must name the columns")
    for name in columns:
        if name not in header:
            found = f"{', '.join(header)}{_suggest_commas(header)}"
            raise ValueError(f"there is no column {name!r}; the columns are: {found}")
    if len(set(header)) < len(header):
        raise ValueError(f"two columns have the same name: {', '.join(header)}")


def _suggest_commas(header: Sequence[str]) -> str:
    """A suggestion if the separator of the header is not a comma, otherwise an empty text."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            return f"; its columns are separated by {name}; write commas"
    return ""
