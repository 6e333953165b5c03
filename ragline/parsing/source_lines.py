"""The lines of a text with their offsets, for readers that do not change the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Line ends of editors only; str.splitlines also splits at form feeds and similar characters.
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|$)")
TAB_WIDTH = 8

_BULLET = r"(?:[-*+•‣◦▪●–—])"
_NUMBER = r"(?:\(?(?:\d{1,3}|[a-zA-Z]|[ivxlIVXL]{2,5}|#)[.)])"
_LIST_ITEM = re.compile(rf"\s*(?:{_BULLET}|{_NUMBER})\s+\S")
_ADORNMENT = re.compile(r"([=\-~^\"'`#*+:.<>_])\1{2,}\s*")
# As people write it, and as in tokenised dumps: `== A ==` and `= = A = =`.
_WIKI_HEADING = re.compile(r"\s*((?:=\s?){1,6})\s*([^=\s](?:[^=]*[^=\s])?)\s*((?:=\s?){1,6})\s*")
MAX_HEADING_LINE_CHARS = 150


class Line(NamedTuple):
    """One line without its newline. `indent` is in columns; it is 0 for a blank line."""

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
    """All lines of a text. An empty text after the last newline is not a line."""
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
    """The character of a line that repeats one character, such as `====`; None for another line."""
    found = _ADORNMENT.fullmatch(line)
    return found.group(1) if found else None


def find_wiki_heading(line: str) -> tuple[str, int] | None:
    """The heading and level of a line such as `== History ==`."""
    found = _WIKI_HEADING.fullmatch(line) if len(line) <= MAX_HEADING_LINE_CHARS else None
    if found is None:
        return None
    before, heading, after = found.groups()
    level = before.count("=")
    is_heading = level == after.count("=") and not (level == 1 and ";" in heading)
    return (heading, level) if is_heading else None


def find_underlined_heading(lines: Sequence[Line], index: int) -> tuple[int, str, int] | None:
    """The heading that begins at this line: the index of its title, its style, its line count.

    Headings of one level have the same style: the character below the title, twice when it is also
    above the title. None when no heading begins here.
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
