"""Reads front matter: the fields above the text of a Markdown file, in YAML or TOML.

YAML is between lines `---`, TOML between lines `+++`. The fields are the title and the metadata of
the document, and not part of its text. Front matter remains part of the text if it is malformed or
too large, or if a value has no JSON type.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from math import isfinite
from typing import Any

import yaml

from ragline.parsing.formats import FORMATS
from ragline.parsing.source_lines import Line, split_lines
from ragline.parsing.text_encoding import decode_text
from ragline.storable_text import clean_text

MARKS = {"---": ("---", "..."), "+++": ("+++",)}
MAX_LINES = 200
MAX_CHARS = 16_384
MAX_FIELDS = 100
MAX_DEPTH = 4
SUFFIXES = FORMATS["md"].suffixes


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The fields of a document. `metadata` has all fields except the title.

    `end` is the offset at which the text of the document begins.
    """

    metadata: dict[str, Any]
    title: str | None
    end: int


def find_front_matter(text: str) -> FrontMatter | None:
    """Return the front matter at the start of a text, or None if it is missing or malformed.

    The result is also None if no text follows, because the fields are then the document's text.
    """
    block = find_block(text)
    if block is None:
        return None
    inner = "".join(f"{line.text}\n" for line in block[1:-1])
    fields = _read_fields(inner, block[0].text.rstrip())
    end = block[-1].end
    if fields is None or not text[end:].strip():
        return None
    title = fields.get("title")
    has_title = isinstance(title, str) and bool(title.strip())
    metadata = {name: value for name, value in fields.items() if name != "title" or not has_title}
    return FrontMatter(metadata, title if has_title else None, end)


def find_block(text: str) -> list[Line] | None:
    """Return the lines of a front matter block, with its delimiters, or None without a block.

    The fields in the lines are not checked.
    """
    lines = split_lines(text[: MAX_CHARS + 16])[: MAX_LINES + 2]
    ends = MARKS.get(lines[0].text.rstrip(), ()) if lines else ()
    last = next((index for index, line in enumerate(lines[1:], 1) if line.text.rstrip() in ends), 0)
    return lines[: last + 1] if last else None


def read_metadata(content: bytes, name: str) -> dict[str, Any]:
    """Return the metadata in the front matter of a Markdown file. Other files have no metadata."""
    if not name.lower().endswith(SUFFIXES) or content.lstrip(b"\xef\xbb\xbf")[:3] not in _STARTS:
        return {}
    # These bytes contain the longest front matter and some text after it, in any encoding.
    found = find_front_matter(decode_text(content[: 8 * MAX_CHARS]))
    return {} if found is None else found.metadata


_STARTS = (b"---", b"+++")


def _read_fields(block: str, mark: str) -> dict[str, Any] | None:
    """Return the fields as JSON values, or None if the block is malformed."""
    try:
        read = tomllib.loads(block) if mark == "+++" else yaml.load(block, _Loader)  # noqa: S506
        if not isinstance(read, Mapping) or not 0 < len(read) <= MAX_FIELDS:
            return None
        return {clean_text(str(name)): _json_value(value, 1) for name, value in read.items()}
    except (ValueError, TypeError, ArithmeticError, RecursionError, yaml.YAMLError):
        return None


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses aliases, because a few lines with aliases can become gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not supported")
        return super().compose_node(parent, index)


def _json_value(value: Any, depth: int) -> Any:
    """Convert a value to a JSON type.

    Raises:
        ValueError: the value has no JSON type, or it is nested too deeply.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if depth < MAX_DEPTH and isinstance(value, list):
        return [_json_value(item, depth + 1) for item in value]
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {clean_text(str(key)): _json_value(item, depth + 1) for key, item in value.items()}
    raise ValueError("the value has no JSON type")
