"""Finds the rows of a reStructuredText table that starts at a line of a marked text.

A chunk can begin or end inside a table, so a border can be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval_api.page.highlight_markers import remove_markers

_SIMPLE_BORDER = re.compile(r"\s*={2,}(?:\s+={2,})+\s*$")
_GAP = re.compile(r"(?<=\S)\s{3,}(?=\S)")
_GRID_BORDER = re.compile(r"\s*\+(?:[-=]+\+)+\s*$")

Lines = Sequence[str]


@dataclass(frozen=True, slots=True)
class FoundTable:
    """The cells of a table. `end` is the index of the line after the table.

    `rows` is None if cells span several columns. Such a table is shown as preformatted text.
    """

    rows: list[list[str]] | None
    has_header: bool
    end: int


def find_simple_table(lines: Lines, bare: Lines, index: int) -> FoundTable | None:
    """Find a table with `====` borders. The first or the last border can be in another chunk.

    `bare` are the lines without markers.
    """
    ahead = bare[index : index + 2]
    offset = next((n for n, line in enumerate(ahead) if _SIMPLE_BORDER.match(line)), None)
    if offset is None:
        return None
    borders = [index] if offset == 0 else [index - 1, index + 1]
    end = index + offset + 1
    while end < len(bare):
        if _SIMPLE_BORDER.match(bare[end]):
            borders.append(end)
            if end + 1 == len(bare) or not bare[end + 1].strip():
                break
        end += 1
    starts = [found.start() for found in re.finditer("=+", ahead[offset])]
    rows: list[list[str]] = []
    for number in range(index, min(end + 1, len(lines))):
        if number in borders or re.fullmatch(r"[-\s]*", bare[number]):
            continue
        cells = _slice_columns(lines[number], starts)
        if rows and not remove_markers(cells[0]).strip():
            rows[-1] = _join_cells(rows[-1], cells)
        else:
            rows.append(cells)
    return FoundTable(rows, len(borders) > 2, end + 1)


def find_columns(lines: Lines, bare: Lines, index: int) -> FoundTable | None:
    """Find the rows of a table whose borders are in other chunks.

    Such rows are lines with an equal number of wide gaps.
    """
    end = index
    count = len(_GAP.split(bare[end]))
    while end < len(bare) and count > 1 and len(_GAP.split(bare[end])) == count:
        end += 1
    is_closed = end < len(bare) and bool(_SIMPLE_BORDER.match(bare[end]))
    is_separate = end == len(bare) or not bare[end].strip()
    if end - index < 2 or not (is_closed or is_separate):
        return None
    rows = [_GAP.split(line.strip()) for line in lines[index:end]]
    return FoundTable(rows, has_header=False, end=end + 1 if is_closed else end)


def find_grid_table(lines: Lines, bare: Lines, index: int) -> FoundTable | None:
    """Find a table with `+---+` borders."""
    if not _GRID_BORDER.match(bare[index]):
        return None
    end = index
    while end < len(bare) and bare[end].lstrip()[:1] in ("+", "|"):
        end += 1
    border = bare[index]
    borders = [line for line in bare[index:end] if _GRID_BORDER.match(line)]
    if any(_shape(line) != _shape(border) for line in borders):
        return FoundTable(None, has_header=False, end=end)
    starts = [column + 1 for column, sign in enumerate(border) if sign == "+"][:-1]
    rows: list[list[str]] = []
    is_new = True
    for number in range(index, end):
        if _GRID_BORDER.match(bare[number]):
            is_new = True
            continue
        cells = [_strip_cell(cell) for cell in _slice_columns(lines[number], starts)]
        if is_new:
            rows.append(cells)
        else:
            rows[-1] = _join_cells(rows[-1], cells)
        is_new = False
    return FoundTable(rows, any("=" in line for line in borders), end)


def _slice_columns(line: str, starts: Sequence[int]) -> list[str]:
    """Return the cells of a marked line. A cell ends where the next column starts."""
    cells, rest, position = [], line, 0
    for bound in starts[1:]:
        cell = _take_visible(rest, bound - position)
        cells.append(cell.strip())
        rest, position = rest[len(cell) :], bound
    return [*cells, rest.strip()]


def _take_visible(text: str, count: int) -> str:
    """Return the first `count` characters of a marked text. Markers are kept and do not count."""
    position = 0
    while count > 0 and position < len(text):
        if remove_markers(text[position]):
            count -= 1
        position += 1
    while position < len(text) and not remove_markers(text[position]):
        position += 1
    return text[:position]


def _strip_cell(cell: str) -> str:
    return cell.strip().removesuffix("|").removeprefix("|").strip()


def _join_cells(above: Sequence[str], below: Sequence[str]) -> list[str]:
    return [" ".join(filter(None, pair)) for pair in zip(above, below, strict=True)]


def _shape(border: str) -> str:
    return border.strip().replace("=", "-")
