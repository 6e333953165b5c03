"""Recognises a file of records in another format than the expected one, by its first bytes.

Read line by line, a JSON array would give an error for each line. The file is refused as a whole
instead, with one message that says what to write.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from ragline.parsing.placeholder_files import describe_placeholder

HEAD_BYTES = 64 * 1024
# Lines that are parsed when the first one is not JSON.
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
    """A file from its beginning, although its first bytes were already read."""

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
    """The file, after a check that its start does not contradict the format `name` (jsonl or csv).

    Raises:
        ValueError: the file has another format; the message says which, and what to write.
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
    """The error of a JSON array; None when only the first of several lines is a list."""
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
    """What a file without a line that is a JSON object contains."""
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
    """Whether the line contains a complete object and the start of another one."""
    try:
        found, end = json.JSONDecoder().raw_decode(line.strip())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and line.strip()[end:].lstrip(" \t,").startswith("{")
