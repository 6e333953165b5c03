"""Draws the pictures of docs/architecture.md from the tables of that page.

The tables are the only source. If a file moves, change its name in the page and run
`make drawings`, which writes the SVG files again. A contract test compares the SVG files with the
tables.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "architecture.md"
INK, QUIET, LINE, ACCENT, WASH, PAPER = (
    "#1c2321", "#5b6662", "#858e89", "#0f6b63", "#e8f1ef", "#ffffff",
)  # fmt: skip
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, monospace"
WIDTH = 880
# Left edge, top edge, width and height of each package.
PACKAGES = {
    "dagster_project": (20, 20, 400, 76),
    "assets": (20, 140, 400, 76),
    "retrieval_api": (460, 140, 400, 76),
    "ragline": (20, 260, 840, 316),
    "sql": (20, 620, 400, 76),
}
ROOMS_PER_ROW = 4
ROOM = (196, 76)


def read_table(page: str, header: str) -> list[list[str]]:
    """Find the table whose header begins with `| header |`, and return the cells of its rows.

    Markup in the cells is removed.
    """
    _, found, table = page.partition(f"| {header} |")
    assert found, header
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return [[_strip(cell) for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def _strip(cell: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("**", "").strip()


def draw_text(
    x: float, y: float, words: str, size: float = 13, *, mono: bool = False, **more: str
) -> str:
    """Draw one line of text. `more` are attributes, with `_` in place of `-`."""
    style = {"fill": INK, "font_family": MONO if mono else SANS, "font_size": f"{size:g}"} | more
    attributes = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(words)}</text>'


def draw_box(x: float, y: float, width: float, height: float, fill: str, edge: str = LINE) -> str:
    """Draw a box with round corners."""
    shape = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"'
    return f'<rect {shape} fill="{fill}" stroke="{edge}"/>'


def draw_arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Draw an arrow from the first point to the second."""
    ends = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f'<line {ends} stroke="{ACCENT}" stroke-width="2" marker-end="url(#head)"/>'


def draw_picture(title: str, height: float, parts: list[str]) -> str:
    """Return the text of a whole SVG file."""
    head = (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="{ACCENT}"/></marker></defs>'
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        head,
        f'<rect width="{WIDTH}" height="{height:g}" rx="12" fill="#faf9f6"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def wrap(words: str, width: int) -> list[str]:
    """Split a text into lines of at most `width` characters."""
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def draw_packages(page: str) -> str:
    """Draw the packages, the folders of the library, and the direction of the imports."""
    parts = []
    for name, contents, _ in read_table(page, "package"):
        x, y, width, height = PACKAGES[name.rstrip("/")]
        parts.append(draw_box(x, y, width, height, PAPER, ACCENT))
        parts.append(draw_text(x + 16, y + 27, name, 15, mono=True, font_weight="700"))
        for number, line in enumerate(wrap(contents, 56 if width < 500 else 120)):
            parts.append(draw_text(x + 16, y + 48 + 17 * number, line, fill=QUIET))
    left, top, _, _ = PACKAGES["ragline"]
    for number, (name, contents) in enumerate(read_table(page, "folder")):
        x = left + 16 + (number % ROOMS_PER_ROW) * (ROOM[0] + 8)
        y = top + 64 + (number // ROOMS_PER_ROW) * 48
        parts.append(draw_box(x, y, ROOM[0], 40, WASH))
        parts.append(draw_text(x + 10, y + 17, name, 12, mono=True, font_weight="600"))
        parts.append(draw_text(x + 10, y + 32, contents.partition(":")[0], 10.5, fill=QUIET))
    parts += [
        draw_arrow(476, 46, 520, 46),
        draw_text(530, 51, "imports, or sends SQL to", fill=QUIET),
        draw_arrow(220, 96, 220, 138),
        draw_arrow(220, 216, 220, 258),
        draw_arrow(660, 216, 660, 258),
        draw_arrow(220, 576, 220, 618),
        draw_box(460, 620, 400, 76, INK, INK),
        draw_text(476, 647, "Postgres with pgvector", 15, fill=PAPER, font_weight="700"),
        draw_text(476, 670, "schemas ragline and dagster", fill=WASH),
        draw_arrow(660, 576, 660, 618),
    ]
    return draw_picture("The packages and the direction of their imports", 716, parts)


def draw_route(page: str, header: str, title: str) -> str:
    """Draw the steps of a table from top to bottom: the action, its files, and what it writes."""
    parts = []
    top = 20.0
    for number, (stop, action, files, written) in enumerate(read_table(page, header), start=1):
        lines, names = wrap(action, 52), files.split(", ")
        height = 46 + 17 * max(len(lines), len(names))
        parts.append(draw_box(20, top, 690, height, PAPER))
        parts.append(f'<circle cx="46" cy="{top + 24:g}" r="13" fill="{ACCENT}"/>')
        parts.append(
            draw_text(
                46, top + 29, str(number), fill=PAPER, text_anchor="middle", font_weight="700"
            )
        )
        parts.append(draw_text(70, top + 29, stop, 15, font_weight="700"))
        parts += [
            draw_text(70, top + 50 + 17 * n, line, fill=QUIET) for n, line in enumerate(lines)
        ]
        parts += [
            draw_text(696, top + 29 + 17 * n, name, 11.5, mono=True, fill=ACCENT, text_anchor="end")
            for n, name in enumerate(names)
        ]
        if written:
            middle, tables = top + height / 2, written.split(", ")
            first = middle + 4 - 8.5 * (len(tables) - 1)
            parts.append(draw_arrow(710, middle, 738, middle))
            parts.append(draw_box(740, first - 22, 120, 19 + 17 * len(tables), WASH, ACCENT))
            parts += [
                draw_text(800, first + 17 * n, name, 11.5, mono=True, text_anchor="middle")
                for n, name in enumerate(tables)
            ]
        if number > 1:
            parts.append(draw_arrow(46, top - 16, 46, top - 1))
        top += height + 16
    return draw_picture(title, top + 4, parts)


def draw_all(page: str) -> dict[str, str]:
    """Return the text of each SVG file, by the name of the file."""
    return {
        "packages.svg": draw_packages(page),
        "path-of-a-document.svg": draw_route(page, "step of a document", "The path of a document"),
        "path-of-a-query.svg": draw_route(page, "step of a query", "The path of a query"),
    }


if __name__ == "__main__":
    for name, text in draw_all(PAGE.read_text("utf-8")).items():
        (DOCS / "pictures" / name).write_text(text, "utf-8")
