"""Text output of commands: lines, counts, durations.

On a terminal, long lines are wrapped. In a pipe or a file, no line is wrapped, so that a program
can read each message as one line. `print_json` in `ragline.commands` prints JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import render
from rich.padding import Padding
from rich.table import Table

LABEL_CHARS = 11


def open_console() -> Console:
    """Return a console for standard output. It prints `:name:` unchanged and not as an emoji."""
    return Console(soft_wrap=not sys.stdout.isatty(), emoji=False, highlight=False)


def print_indented(console: Console, text: str, indent: int) -> None:
    """Print a paragraph with markup, with all its lines indented."""
    if console.soft_wrap:
        console.print(" " * indent + text)
    else:
        console.print(Padding(render(text, emoji=False), (0, 0, 0, indent)))


def print_headline(console: Console, text: str, indent: int) -> None:
    """Print a line with markup. If it is wrapped, the lines after the first are indented."""
    if console.soft_wrap:
        console.print(text)
        return
    first, *others = render(text, emoji=False).wrap(console, max(console.width - indent, 20))
    console.print(first)
    for line in others:
        console.print(Padding(line, (0, 0, 0, indent)))


def print_fields(console: Console, fields: Sequence[tuple[str, str]]) -> None:
    """Print texts with their labels, one below the other. A long text is wrapped in its column."""
    if console.soft_wrap:
        for label, text in fields:
            console.print(f"  {label:<{LABEL_CHARS}}{text}".rstrip())
        return
    table = Table.grid(padding=(0, 0))
    table.add_column(width=LABEL_CHARS + 2)
    table.add_column()
    for label, text in fields:
        table.add_row(f"  {label}", render(text, emoji=False))
    console.print(table)


def format_age(seconds: float | None) -> str:
    """Return a duration in its two largest units, such as 45s, 1h30m or 2d; `never` for None."""
    if seconds is None:
        return "never"
    left, parts = round(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole}{unit}")
        if parts and (len(parts) == 2 or not whole):
            break
    return "".join(parts) or "0s"
