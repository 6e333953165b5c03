"""Blocks of a rendered text, and the elements that every renderer writes alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from retrieval_api.page.markers import TextWriter

_NAME, _CELL = Markup("<th>{}</th>"), Markup("<td>{}</td>")

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or listing as HTML, and how many characters it shows."""

    html: Markup
    chars: int

    @property
    def is_marked(self) -> bool:
        """Whether a highlight is in it."""
        return "<mark>" in self.html


def write_code(text: str, writer: TextWriter) -> Markup:
    """A listing. It may be wider than the page, so the keyboard can move it."""
    return Markup('<pre tabindex="0"><code>{}</code></pre>').format(writer.write(text.rstrip("\n")))


def write_picture(name: Markup) -> Markup:
    """What stands for a picture: it is not loaded."""
    return Markup('<span class="picture">Picture{}</span>').format(
        Markup(": {}").format(name) if name.strip() else ""
    )


def write_table(
    rows: Rows,
    writer: TextWriter,
    *,
    has_header: bool,
    write_cell: Callable[[str], Markup] | None = None,
) -> Markup:
    """A table; rows may be shorter than the longest. Cells are plain text without `write_cell`."""
    width = max((len(row) for row in rows), default=0)
    write = write_cell or writer.write
    written = Markup()
    for index, row in enumerate(rows):
        cell = _NAME if has_header and index == 0 else _CELL
        cells = Markup().join(cell.format(write(text)) for text in row)
        written += Markup("<tr>{}</tr>").format(cells + cell.format("") * (width - len(row)))
    return Markup('<div class="scrolled" tabindex="0"><table>{}</table></div>').format(written)
