"""The rows of a file of records: JSON lines, CSV or Parquet, streamed and never held whole.

What a row's columns mean is `record_fields`.
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
from ragline.sources.json_values import spell_values
from ragline.sources.records.format_check import open_checked

Format = Literal["jsonl", "parquet", "csv"]
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
# Rows of Parquet that are turned into Python's values together, when one of them is wanted.
BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its place for people, the value of its id, and what it holds or what is wrong.

    `values` may cost time: it is only called for rows that are wanted. `content` are the row's
    own bytes in the file, where it has any.
    """

    place: str
    key: Any
    values: Callable[[], dict[str, Any]]
    content: bytes | None = None
    fault: str | None = None

    def read_content(self) -> bytes:
        """The bytes that stand for the row: those of the file, or its values as JSON."""
        return spell_values(self.values()) if self.content is None else self.content


def guess_format(uri: str) -> Format:
    """The format that a file's name says; JSON lines when it says nothing."""
    path = PurePosixPath(uri)
    suffix = path.with_suffix("").suffix if path.suffix.lower() in COMPRESSIONS else path.suffix
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
    return formats.get(suffix.lower(), "jsonl")


def read_rows(file: BinaryIO, name: Format, columns: Sequence[str], limit: int) -> Iterator[Row]:
    """Yield the rows in the file's order. The first of the `columns` is the id.

    Raises:
        ValueError: the file lacks a column, or is in another format.
        OSError, EOFError: it cannot be read to its end.
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


def _parse_json(place: str, content: bytes, key: str) -> Row:
    broken = partial(Row, place, None, dict, content)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        return broken(f"is not JSON ({error})")
    if not isinstance(record, dict):
        return broken("is not a JSON object")
    return Row(place, record.get(key), lambda: record, content)


def _read_csv(file: BinaryIO, columns: Sequence[str], limit: int) -> Iterator[Row]:
    # Python's own limit of 131,072 characters is less than many a text; this one still stops a
    # quote that is never closed. It holds for the whole process, so it only ever grows.
    csv.field_size_limit(max(csv.field_size_limit(), min(limit, 2**31 - 1)))
    # What is not UTF-8 shall cost its own row alone.
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
    """The lines of a text, and the one that was read last."""

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

    A misplaced quote costs its row when that is one line. Over several lines nobody can say
    where the next row begins, and an open quote at the end has swallowed rows.
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


def _parse_cells(place: str, header: list[str], cells: list[str], key: str) -> Row:
    values = dict(zip(header, cells, strict=False))
    fault = None
    if len(cells) != len(header):
        fault = f"has {len(cells)} cells and the header {len(header)}"
    elif not all(map(is_unicode, cells)):
        fault = "is not UTF-8"
    content = None if fault is None else spell_values({"cells": cells})
    return Row(place, values.get(key), lambda: values, content, fault)


def _read_parquet(file: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    # pyarrow takes a while to load and is needed for this format alone.
    import pyarrow.parquet

    number = 0
    with pyarrow.parquet.ParquetFile(file) as parquet:
        header = parquet.schema_arrow.names
        _require_columns(header, columns)
        for batch in _read_batches(parquet):
            rows = cache(batch.to_pylist)
            for index, key in enumerate(batch.column(header.index(columns[0])).to_pylist()):
                number += 1
                yield Row(f"row {number}", key, partial(_pick, rows, index))


def _read_batches(parquet: Any) -> Iterator[Any]:
    """Yield a file's batches, one row group after the other.

    Asked for all at once, pyarrow keeps what it has read: the whole file in the end.
    """
    for group in range(parquet.num_row_groups):
        yield from parquet.iter_batches(BATCH_ROWS, row_groups=[group], use_threads=False)


def _pick(rows: Callable[[], list[dict[str, Any]]], index: int) -> dict[str, Any]:
    return rows()[index]


def _require_columns(header: Sequence[str], columns: Sequence[str]) -> None:
    if not header:
        raise ValueError("there is no header; its first line must name the columns")
    for name in columns:
        if name not in header:
            raise ValueError(
                f"there is no column {name!r}; there are: {', '.join(header)}{_advise(header)}"
            )
    if len(set(header)) < len(header):
        raise ValueError(f"a column's name is there twice: {', '.join(header)}")


def _advise(header: Sequence[str]) -> str:
    """What to do about a header that is parted by something else than commas."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            return f"; its columns are parted by {name}, write commas"
    return ""
