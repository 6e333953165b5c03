"""Refuses a file of records whose first bytes show another format than the expected one.

Without this check, a JSON array would give an error for each of its lines. With it, one message
says how to correct the file or the setting.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from ragline.parsing.placeholder_files import describe_placeholder

HEAD_BYTES = 64 * 1024
# The maximum number of lines that are searched for a JSON object.
MAX_PARSED_LINES = 20
_WRITE_LINES = "write one JSON object a line"
_BINARY_STARTS = (
    (b"\xff\xfe", "is UTF-16; write it as UTF-8"),
    (b"\xfe\xff", "is UTF-16; write it as UTF-8"),
    (b"PAR1", "is a Parquet file; set format: parquet"),
    (b"\x1f\x8b", "is compressed with gzip; let its name end in .gz"),
    (b"BZh", "is compressed with bzip2; let its name end in .bz2"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; let its name end in .zst"),
    (b"PK\x03\x04", "is a ZIP archive or an Office file; write JSON lines, CSV or Parquet"),
    (b"SQLite format 3", "is an SQLite database; use the kind sql"),
)


class RewoundFile(io.RawIOBase):
    """A file that is read from its beginning again.

    `head` contains the first bytes, which were already read. `rest` is the file after these bytes.
    """

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        data, self._head = self._head[:size], self._head[size:]
        data = data or self._rest.read(size)
        buffer[: len(data)] = data
        return len(data)


def open_checked(file: BinaryIO, name: str, key: str) -> io.BufferedReader:
    """Return a file from its beginning, after a check of its first bytes.

    `name` is the expected format, `jsonl` or `csv`. `key` is the column with the id.

    Raises:
        ValueError: the file has another format. The message names the format and the remedy.
    """
    head = file.read(HEAD_BYTES)
    error = _find_other_format(head) or _find_format_error(head, name, key)
    if error is not None:
        raise ValueError(f"it {error}")
    return io.BufferedReader(RewoundFile(head, file), HEAD_BYTES)


def _find_other_format(head: bytes) -> str | None:
    placeholder = describe_placeholder(head, "")
    if placeholder is not None:
        return f"is {placeholder}"
    found = next((what for start, what in _BINARY_STARTS if head.startswith(start)), None)
    if found is None and b"\0" in head[:4]:
        return "is UTF-16 or binary; write it as UTF-8"
    return found


def _find_format_error(head: bytes, name: str, key: str) -> str | None:
    text = head.decode("utf-8-sig", "replace").lstrip()
    if name == "csv":
        return "is JSON and not CSV; set format: jsonl" if text[:1] in ("{", "[") else None
    whole = text if len(head) < HEAD_BYTES else text.rpartition("\n")[0]
    lines = [line for line in whole.splitlines() if line.strip()][: MAX_PARSED_LINES + 1]
    if text.startswith("["):
        return _check_array(lines)
    is_whole = len(head) < HEAD_BYTES
    if len(lines) == 1 and is_whole:
        return _check_one_line(lines[0], key)
    if len(lines) < 2 or any(map(_is_object, lines[:MAX_PARSED_LINES])):
        return None
    return _describe_lines(text, lines)


def _check_array(lines: Sequence[str]) -> str | None:
    """The error of a file that begins with a list.

    It is None if the list ends on the first line and a later line is a JSON object.
    """
    if len(lines) > 1 and _parse(lines[0]) is not None and any(map(_is_object, lines[1:])):
        return None
    return f"is a JSON array; {_WRITE_LINES} (jq -c '.[]')"


def _check_one_line(line: str, key: str) -> str | None:
    record = _parse(line)
    if isinstance(record, dict) and key not in record:
        for name, value in record.items():
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
                return (
                    f"is one JSON object whose {name!r} is a list of records; {_WRITE_LINES} "
                    f"(jq -c '.{name}[]')"
                )
    if record is None and _has_several(line):
        return f"has several JSON objects on one line; {_WRITE_LINES} (jq -c .)"
    return None


def _describe_lines(text: str, lines: Sequence[str]) -> str:
    """Describe the content of a file in whose first lines no JSON object was found."""
    if all(_has_several(line) for line in lines):
        return f"has several JSON objects on one line; {_WRITE_LINES} (jq -c .)"
    if text.startswith("{"):
        return f"has JSON objects that span several lines; {_WRITE_LINES} (jq -c .)"
    cells = lines[0].count(",")
    if cells and all(line.count(",") >= cells for line in lines[:3]):
        return "looks like CSV and is read as JSON lines; set format: csv"
    return f"has no line that is a JSON object; {_WRITE_LINES}"


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_object(line: str) -> bool:
    return isinstance(_parse(line), dict)


def _has_several(line: str) -> bool:
    """Whether a line contains a complete JSON object and the start of another one."""
    try:
        found, end = json.JSONDecoder().raw_decode(line.strip())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and line.strip()[end:].lstrip(" \t,").startswith("{")
