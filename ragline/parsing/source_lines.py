"""Splits a text into lines with their offsets, and recognises headings and list items.

Readers that do not change the text use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Matches only the line ends of editors, because str.splitlines also splits at form feeds.
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
TAB_WIDTH = 8

_BULLET = r"(?:[-*+•‣◦▪●–—])"
_NUMBER = r"(?:\(?(?:\d{1,3}|[a-zA-Z]|[ivxlIVXL]{2,5}|#)[.)])"
_LIST_ITEM = re.compile(rf"\s*(?:{_BULLET}|{_NUMBER})\s+\S")
_ADORNMENT = re.compile(r"([=\-~^\"'`#*+:.<>_])\1{2,}\s*")
# A heading as people write it (`== A ==`), or as tokenised text contains it (`= = A = =`).
_WIKI_HEADING = re.compile(r"\s*((?:=\s?){1,6})\s*([^=\s](?:[^=]*[^=\s])?)\s*((?:=\s?){1,6})\s*")
MAX_HEADING_LINE_CHARS = 150


class Line(NamedTuple):
    """One line without its newline. `indent` is in columns. It is 0 for a blank line."""

    text: str
    start: int
    indent: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_blank(self) -> bool:
        return not self.text or self.text.isspace()


def split_lines(text: str) -> list[Line]:
    """Return all lines of a text. An empty text after the last newline is not a line."""
    lines = []
    for found in _LINE.finditer(text):
        line = found.group(1)
        if found.start() == len(text):
            break
        lines.append(Line(line, found.start(), _indent(line)))
    return lines


def is_list_item(line: str) -> bool:
    """Whether the line begins with a bullet or a number of a list."""
    return _LIST_ITEM.match(line) is not None


def find_adornment(line: str) -> str | None:
    """Return the character that fills a line, such as `=` for `====`, or None for another line."""
    found = _ADORNMENT.fullmatch(line)
    return found.group(1) if found else None


def find_wiki_heading(line: str) -> tuple[str, int] | None:
    """Return heading and level of a line such as `== History ==`, or None for another line."""
    found = _WIKI_HEADING.fullmatch(line) if len(line) <= MAX_HEADING_LINE_CHARS else None
    if found is None:
        return None
    before, heading, after = found.groups()
    level = before.count("=")
    is_heading = level == after.count("=") and not (level == 1 and ";" in heading)
    return (heading, level) if is_heading else None


def find_underlined_heading(lines: Sequence[Line], index: int) -> tuple[int, str, int] | None:
    """Find a heading that begins at this line. None means that no heading begins here.

    Returns the index of the title's line, the style of the heading, and its number of lines. The
    style is the character that fills the line below the title. If the character also fills the
    line above the title, the style contains it twice. Headings of one level have one style.
    """
    style = find_adornment(lines[index].text)
    is_overlined = style is not None and index + 2 < len(lines)
    title = index + 1 if is_overlined else index
    if title + 1 >= len(lines) or (style is not None and not is_overlined):
        return None
    text, under = lines[title].text.strip(), lines[title + 1].text
    mark = find_adornment(under)
    if mark is None or (style is not None and style != mark) or find_adornment(text):
        return None
    if not text or len(text) > MAX_HEADING_LINE_CHARS or len(under.strip()) < 0.7 * len(text):
        return None
    if style is None and lines[title].indent:
        return None
    return (title, 2 * mark, 3) if is_overlined else (title, mark, 2)


def _indent(line: str) -> int:
    if not line[:1].isspace():
        return 0
    expanded = line.expandtabs(TAB_WIDTH)
    return (len(expanded) - len(expanded.lstrip())) if not line.isspace() else 0
