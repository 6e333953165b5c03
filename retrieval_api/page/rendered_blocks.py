"""The blocks of a rendered text, and the HTML elements that all renderers use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from retrieval_api.page.highlight_markers import TextWriter

_NAME, _CELL = Markup("<th>{}</th>"), Markup("<td>{}</td>")

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or code block as HTML, with its number of characters."""

    html: Markup
    chars: int

    @property
    def is_highlighted(self) -> bool:
        """Whether the block contains a highlight."""
        return "<mark>" in self.html


def write_code(text: str, writer: TextWriter) -> Markup:
    """Write a code block. A block that is wider than the page can be scrolled with the keyboard."""
    return Markup('<pre tabindex="0"><code>{}</code></pre>').format(writer.write(text.rstrip("\n")))


def write_picture(name: Markup) -> Markup:
    """Write the placeholder of an image. The image is not loaded."""
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
    """Write a table. Short rows get empty cells. Without `write_cell`, cells are plain text."""
    width = max((len(row) for row in rows), default=0)
    write = write_cell or writer.write
    written = Markup()
    for index, row in enumerate(rows):
        cell = _NAME if has_header and index == 0 else _CELL
        cells = Markup().join(cell.format(write(text)) for text in row)
        written += Markup("<tr>{}</tr>").format(cells + cell.format("") * (width - len(row)))
    return Markup('<div class="scrolled" tabindex="0"><table>{}</table></div>').format(written)
