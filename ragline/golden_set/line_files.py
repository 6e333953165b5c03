"""Reads text files that consist of lines or rows, and names the line of each error."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragline.errors import GoldenSetError

# A file is read as a whole, so its size is limited. Each published golden set is smaller.
MAX_FILE_BYTES = 512 * 1024 * 1024
# If a quotation mark is not closed, the rest of the file is one cell. This limit finds such a cell.
# The limit of the module `csv` cannot be used, because it is shared by the process, and sources of
# records raise it.
MAX_CELL_CHARACTERS = 131_072
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises:
        GoldenSetError: the file cannot be read, is too large, or is not in UTF-8. The message names
            the file, the line and the remedy.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise GoldenSetError(
                f"{path}: has {size:,} bytes; the maximum is {MAX_FILE_BYTES:,}; split the file"
            )
        content = path.read_bytes()
    except OSError as error:
        raise GoldenSetError(f"{path}: cannot be read: {error.strerror}") from error
    if content.startswith(UTF_16):
        raise GoldenSetError(f"{path}:1: is in UTF-16; save the file in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise GoldenSetError(
            f"{path}:{line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file in "
            "UTF-8"
        ) from error


def read_json_lines(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the number, the text and the JSON object of each line that is not empty.

    Raises:
        GoldenSetError: a line is not a JSON object.
    """
    for number, line in enumerate(io.StringIO(read_text(path), newline=None), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise GoldenSetError(f"{path}:{number}: is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise GoldenSetError(f"{path}:{number}: is not a JSON object")
        yield number, line.rstrip("\n"), row


def read_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line, and the cells, of each row that is not empty.

    Raises:
        GoldenSetError: a quotation mark or a cell is malformed.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _malformed_row(path, number, error) from error
        if row is None:
            return
        if any(len(cell) > MAX_CELL_CHARACTERS for cell in row):
            reason = f"a cell has more than {MAX_CELL_CHARACTERS:,} characters"
            raise _malformed_row(path, number, reason)
        if row:
            yield number, row


def _malformed_row(path: Path, number: int, reason: object) -> GoldenSetError:
    return GoldenSetError(
        f"{path}:{number}: is not a row of cells: {reason}; write a quotation mark inside a quoted "
        "cell twice"
    )


def check_storable(text: str, location: str) -> str:
    """Return the text if Postgres can store it.

    Raises:
        GoldenSetError: the text contains U+0000 or half of a surrogate pair.
    """
    if UNSTORABLE.search(text):
        raise GoldenSetError(
            f"{location}: contains U+0000 or half of a surrogate pair; remove this character"
        )
    return text
