"""Formats the rows of a table as text that can be read, embedded and chunked.

The readers find the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Row = Sequence[str]

CELL_SEPARATOR = " | "
# The maximum size of a group of rows. It is about 200 tokens if the cells are numbers, so that the
# group and its header fit into a chunk.
MAX_GROUP_CHARS = 600
MAX_HEADER_CHARS = 200
_NUMBER = re.compile(r"[-+(]?[\d.,:/%€$£ -]*\d[\d.,:/%€$£ )-]*")


def format_table(rows: Sequence[Row]) -> list[str]:
    """Format a table as text with one line for each row. A long table becomes several texts.

    Each of several texts begins with the header row, if the table has one. Empty rows are left out.
    """
    lines = [line for row in rows if (line := format_row(row))]
    if sum(map(len, lines)) <= 2 * MAX_GROUP_CHARS:
        return ["\n".join(lines)] if lines else []
    header = lines[0] if is_header(rows) and len(lines[0]) <= MAX_HEADER_CHARS else None
    return ["\n".join(group) for group in _group_lines(lines, header)]


def format_row(row: Row) -> str:
    """Format a row as one line. Empty cells are kept, except at the end of the row."""
    cells = [" ".join(cell.split()) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return CELL_SEPARATOR.join(cells) if any(cells) else ""


def is_header(rows: Sequence[Row]) -> bool:
    """Whether the first row with text is a header: it has several cells, and none is a number."""
    first = next((row for row in rows if any(cell.strip() for cell in row)), ())
    names = [cell for cell in first if cell.strip()]
    return len(names) > 1 and not any(_NUMBER.fullmatch(name.strip()) for name in names)


def _group_lines(lines: Sequence[str], header: str | None) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for line in lines:
        if group and size + len(line) > MAX_GROUP_CHARS and group != [header]:
            yield group
            group = [header] if header else []
            size = sum(map(len, group))
        group.append(line)
        size += len(line)
    if group:
        yield group
