"""Renders plain text as HTML: lines, tables of `a | b` rows, and links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from retrieval_api.page.highlight_markers import TextWriter, remove_markers
from retrieval_api.page.links import write_link
from retrieval_api.page.rendered_blocks import Block, write_table

# The readers of tables join cells with this separator (ragline.parsing.table_rows).
_SEPARATOR = " | "
_BLANK = re.compile(r"\n[ \t]*\n\s*")
_NUMBER = re.compile(r"[-+(]?[\d.,:/%€$£ -]*\d[\d.,:/%€$£ )-]*")
_LINK = re.compile(r"https?://[^\s<>\"'|]{1,2000}[^\s<>\"'|.,;:!?)\]}]")


def render_plain_text(text: str, writer: TextWriter) -> list[Block]:
    """Return the blocks of a marked text, in order: paragraphs with their lines, and tables."""
    blocks = []
    for is_table, lines in _split(text):
        html = _write_rows(lines, writer) if is_table else _write_lines(lines, writer)
        blocks.append(Block(html, sum(map(len, lines))))
    return blocks


def write_with_links(text: str, writer: TextWriter) -> Markup:
    """Write a part of a marked text, with web addresses as links."""
    written, position = Markup(), 0
    for found in _LINK.finditer(text):
        written += writer.write(text[position : found.start()])
        opening = write_link(remove_markers(found.group()))
        written += Markup("{}{}</a>").format(opening, writer.write(found.group()))
        position = found.end()
    return written + writer.write(text[position:])


def _split(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield groups of lines, and whether a group is a table. A blank line ends a group."""
    for paragraph in _BLANK.split(text.strip("\r\n")):
        for is_table, group in groupby(paragraph.splitlines(), _is_row):
            lines = list(group)
            # A single row with one separator is probably a sentence.
            is_few = len(lines) == 1 and remove_markers(lines[0]).count(_SEPARATOR) < 2
            yield is_table and not is_few, lines


def _is_row(line: str) -> bool:
    bare = remove_markers(line)
    return _SEPARATOR in bare or bare.startswith("| ")


def _write_lines(lines: Sequence[str], writer: TextWriter) -> Markup:
    return Markup('<p class="lines">{}</p>').format(write_with_links("\n".join(lines), writer))


def _write_rows(lines: Sequence[str], writer: TextWriter) -> Markup:
    rows = [_split_row(line) for line in lines]
    names = [remove_markers(cell) for cell in rows[0] if cell.strip()]
    has_header = len(rows) > 1 and len(names) > 1 and not any(map(_NUMBER.fullmatch, names))
    return write_table(rows, writer, has_header=has_header)


def _split_row(line: str) -> list[str]:
    """Return the cells of a row. The first cell is empty if the row starts with a separator."""
    bare = remove_markers(line)
    return (" " + line if bare.startswith("| ") else line).split(_SEPARATOR)
