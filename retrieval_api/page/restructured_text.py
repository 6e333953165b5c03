"""Renders reStructuredText as safe HTML, for documents of any origin.

A chunk often starts or ends inside a list or a code block, which docutils reports as an error. So
this module finds blocks line by line, and shows unknown markup as text. It executes no directives:
nothing is included, loaded or evaluated. `restructured_inline` renders the text of a block, and
`restructured_tables` finds tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from retrieval_api.page.highlight_markers import TextWriter, remove_markers, skip_chars
from retrieval_api.page.rendered_blocks import Block, write_code, write_picture, write_table
from retrieval_api.page.restructured_inline import Targets, find_targets, write_inline
from retrieval_api.page.restructured_tables import (
    find_columns,
    find_grid_table,
    find_simple_table,
)

MAX_DEPTH = 12
_ADORNMENT = re.compile(r"([=\-~^\"'`#*+:.<>_])\1{2,}\s*$")
_BULLET = re.compile(r"[-*+•]\s+(?=\S)")
_NUMBER = re.compile(r"\(?(\d{1,3}|#|[A-Za-z])[.)]\s+(?=\S)")
_FIELD = re.compile(r":([^:\s][^:]*):(?:\s+|$)")
_HEADER = re.compile(r"([A-Z][\w-]*):(?:\s+|$)")
_DIRECTIVE = re.compile(r"\.\. (?:\|[^|]+\| )?([A-Za-z][\w:+.-]*?)\s?::(?:\s+|$)")
_NOTE = re.compile(r"\.\. (\[[^\]]+\])\s*")
_OPTION = re.compile(r"\s*:[\w -]+:(?:\s|$)")
_DOCTEST = re.compile(r">>> ?")
_CODE_LINE = re.compile(
    r"\s*(?:def |class |return\b|import |from \S+ import|if .*:$|for .*:$|while .*:$|with .*:$|"
    r"async |await |try:|else:|except|finally:|elif |@\w|raise |#|>>> |\.\.\. |\$ |//|"
    r"[)}\]]+[;,]?$|"
    r".*[;{(\[]$|.*\w\(.*\)[:;]?$|[\w.\[\]\"']+ [-+*/|&]?= \S)"
)
_LISTINGS = frozenset([
    "code", "code-block", "sourcecode", "parsed-literal", "math", "doctest", "testcode",
    "productionlist", "csv-table", "list-table", "highlight",
])  # fmt: skip
_PICTURES = frozenset(["image", "figure"])
_NOTES = frozenset([
    "note", "warning", "tip", "hint", "important", "caution", "danger", "error", "attention",
    "admonition", "seealso",
])  # fmt: skip
_HIDDEN = frozenset([
    "include", "literalinclude", "contents", "toctree", "meta", "index", "raw", "default-role",
    "role", "currentmodule", "module", "replace", "unicode", "date", "class", "sectnum",
    "target-notes", "header", "footer", "only",
])  # fmt: skip


def render_restructured_text(text: str, writer: TextWriter) -> list[Block]:
    """Return the blocks of a marked text, in order. Lines can end with LF, CR or both."""
    lines = text.expandtabs(8).splitlines()
    reader = _BlockReader(lines, find_targets(remove_markers(text)), writer)
    return reader.read()


@dataclass
class _BlockReader:
    """Reads one block after another, from the line at `index`."""

    lines: Sequence[str]
    targets: Targets
    writer: TextWriter
    depth: int = 0
    index: int = 0
    is_literal_next: bool = False
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bare = [remove_markers(line).rstrip() for line in self.lines]

    def read(self) -> list[Block]:
        while self.index < len(self.lines):
            if not self.bare[self.index].strip():
                self.writer.skip(self.lines[self.index])
                self.index += 1
                continue
            first = self.index
            html = self._take_block()
            if html:
                self.blocks.append(Block(html, sum(map(len, self.bare[first : self.index]))))
        return self.blocks

    def _take_block(self) -> Markup:
        line = self.bare[self.index]
        if self.is_literal_next:
            self.is_literal_next = False
            if line[:1].isspace():
                return self._take_listing()
        if line[:1].isspace():
            return self._take_indented()
        for take in self._TAKERS:
            html = take(self)
            if html is not None:
                return html
        return self._take_paragraph()

    def _take_heading(self) -> Markup | None:
        """Take a heading (a line above an adornment), or a horizontal line (only an adornment)."""
        bare, index = self.bare, self.index
        if _ADORNMENT.match(bare[index]):
            self.writer.skip(self.lines[index])
            is_over = index + 2 < len(bare) and _ADORNMENT.match(bare[index + 2])
            if not (is_over and bare[index + 1].strip()):
                self.index += 1
                return Markup("<hr>") if self.blocks and self.index < len(bare) else Markup()
            self.index += 1
            return self._write_heading()
        is_under = index + 1 < len(bare) and _ADORNMENT.match(bare[index + 1])
        return self._write_heading() if is_under else None

    def _write_heading(self) -> Markup:
        html = Markup('<p class="heading">{}</p>').format(
            self._inline(self.lines[self.index].strip())
        )
        self.index += 2
        return html

    def _take_table(self) -> Markup | None:
        for find in (find_simple_table, find_columns, find_grid_table):
            table = find(self.lines, self.bare, self.index)
            if table is None:
                continue
            if table.rows is None:
                return self._take_listing(table.end)
            self.index = table.end
            return write_table(
                table.rows, self.writer, has_header=table.has_header, write_cell=self._inline
            )
        return None

    def _take_explicit(self) -> Markup | None:
        """Take a block that starts with `.. `: a directive, footnote, link target or comment."""
        line = self.bare[self.index]
        if line.startswith("__ "):
            return self._hide(self._end_of_indented(self.index + 1))
        if not re.match(r"\.\.(?:\s|$)", line):
            return None
        end = self._end_of_indented(self.index + 1)
        directive, note = _DIRECTIVE.match(line), _NOTE.match(line)
        if directive:
            return self._take_directive(directive.group(1).lower(), directive.end(), end)
        if note:
            body = [skip_chars(self.lines[self.index], note.end())]
            body += self.lines[self.index + 1 : end]
            self.index = end
            label = note.group(1)
            return Markup('<div class="footnote"><span>{}</span> {}</div>').format(
                label, self._nested(_dedent(body))
            )
        return self._hide(end)

    def _take_directive(self, name: str, argument: int, end: int) -> Markup:
        rest = skip_chars(self.lines[self.index], argument)
        body = self.index + 1
        options = []
        while body < end and _OPTION.match(self.bare[body]):
            options.append(self.bare[body].strip())
            body += 1
        if name in _HIDDEN:
            return self._hide(end)
        if name in _PICTURES:
            alt = next((one.removeprefix(":alt:") for one in options if one[:5] == ":alt:"), rest)
            picture = Markup("<p>{}</p>").format(write_picture(self.writer.write(alt.strip())))
            caption = _dedent(self.lines[body:end])
            self.index = end
            return picture + self._nested(caption)
        if name in _LISTINGS:
            self.index = body
            return self._take_listing(end)
        lines = _dedent(self.lines[body:end])
        self.index = end
        inner = self._nested([rest, *lines] if remove_markers(rest).strip() else lines)
        if name in _NOTES:
            return Markup('<div class="aside"><p class="heading">{}</p>{}</div>').format(
                name.capitalize(), inner
            )
        return inner

    def _take_fields(self) -> Markup | None:
        """Take lines `:name: value`, or at least three lines `Name: value` at the text's start."""
        pattern = _FIELD
        if not _FIELD.match(self.bare[self.index]):
            pattern = _HEADER
            ahead = self.bare[self.index : self.index + 3]
            is_header = len(ahead) == 3 and all(
                _HEADER.match(line) or (n and line[:1].isspace()) for n, line in enumerate(ahead)
            )
            if self.index or self.depth or not is_header:
                return None
        written = Markup()
        while self.index < len(self.lines) and (found := pattern.match(self.bare[self.index])):
            end = self._end_of_item(self.index + 1)
            value = [skip_chars(self.lines[self.index], found.end()).strip()]
            value += [line.strip() for line in self.lines[self.index + 1 : end]]
            written += Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(
                found.group(1), self._inline(" ".join(value))
            )
            self.index = end
            self._skip_blank()
        return Markup('<dl class="facts">{}</dl>').format(written)

    def _take_bullets(self) -> Markup | None:
        return self._take_items(_BULLET, lambda _mark: "<ul>", "</ul>")

    def _take_numbers(self) -> Markup | None:
        return self._take_items(_NUMBER, _open_numbers, "</ol>")

    def _take_items(
        self, pattern: re.Pattern[str], opening: Callable[[str], str], closing: str
    ) -> Markup | None:
        found = pattern.match(self.bare[self.index])
        if found is None or self._is_sentence(pattern):
            return None
        written = Markup(opening(found.group()))  # noqa: S704  a tag with a number
        while self.index < len(self.lines) and (found := pattern.match(self.bare[self.index])):
            end = self._end_of_indented(self.index + 1)
            first = skip_chars(self.lines[self.index], found.end())
            item = [first, *_dedent(self.lines[self.index + 1 : end], found.end())]
            self.index = end
            written += Markup("<li>{}</li>").format(self._nested(item))
            self._skip_blank()
        return written + Markup(closing)  # noqa: S704  a tag

    def _is_sentence(self, pattern: re.Pattern[str]) -> bool:
        """Whether a line that begins like a list item is a sentence, such as `A. Smith wrote`.

        In a list, the line below would be blank, indented, or the next item.
        """
        if pattern is not _NUMBER or self.index + 1 >= len(self.bare):
            return False
        below = self.bare[self.index + 1]
        return bool(below) and not below[0].isspace() and not _NUMBER.match(below)

    def _take_doctest(self) -> Markup | None:
        if not _DOCTEST.match(self.bare[self.index]):
            return None
        end = self.index
        while end < len(self.bare) and self.bare[end].strip():
            end += 1
        return self._take_listing(end)

    def _take_lines(self) -> Markup | None:
        """Take a line block: each line starts with `| ` and remains a line."""
        written = []
        while self.index < len(self.lines) and re.match(r"\|(?: |$)", self.bare[self.index]):
            written.append(self._inline(skip_chars(self.lines[self.index], 2)))
            self.index += 1
        if not written:
            return None
        return Markup("<p>{}</p>").format(Markup("<br>").join(written))

    def _take_definition(self) -> Markup | None:
        """Take a term and the indented text below it. The first line of a chunk is not a term."""
        below = self.index + 1
        is_term = below < len(self.bare) and self.bare[below][:1].isspace()
        if not is_term or self.bare[self.index].endswith("::") or not self.index:
            return None
        if not self.bare[below].strip():
            return None
        term = self._inline(self.lines[self.index].strip())
        end = self._end_of_indented(below)
        self.index = end
        return Markup("<dl><dt>{}</dt><dd>{}</dd></dl>").format(
            term, self._nested(_dedent(self.lines[below:end]))
        )

    def _take_indented(self) -> Markup:
        """Take indented lines without `::` above. They are a quotation or code."""
        end = self._end_of_indented(self.index)
        stop = self.index
        while stop < end and self.bare[stop].strip():
            stop += 1
        lines = [line for line in self.bare[self.index : stop] if line.strip()]
        if 2 * sum(bool(_CODE_LINE.match(line)) for line in lines) >= len(lines):
            return self._take_listing(end)
        body = _dedent(self.lines[self.index : end])
        self.index = end
        return Markup("<blockquote>{}</blockquote>").format(self._nested(body))

    def _take_listing(self, end: int | None = None) -> Markup:
        end = self._end_of_indented(self.index) if end is None else end
        body = _dedent(self.lines[self.index : end])
        self.index = end
        while body and not remove_markers(body[-1]).strip():
            self.writer.skip(body.pop())
        while body and not remove_markers(body[0]).strip():
            self.writer.skip(body.pop(0))
        return write_code("\n".join(body), self.writer) if body else Markup()

    def _take_paragraph(self) -> Markup:
        first = self.index
        self.index += 1
        while self.index < len(self.lines) and self.bare[self.index].strip():
            if self.bare[self.index - 1].endswith("::") and self.bare[self.index][:1].isspace():
                break
            if _ADORNMENT.match(self.bare[min(self.index + 1, len(self.bare) - 1)]) and (
                self.index + 1 < len(self.bare)
            ):
                break
            self.index += 1
        lines = [line.strip() for line in self.lines[first : self.index]]
        bare = self.bare[self.index - 1].strip()
        if bare.endswith("::"):
            self.is_literal_next = True
            lines[-1] = _drop_colons(lines[-1])
        shown = self._inline("\n".join(lines))
        return Markup("<p>{}</p>").format(shown) if shown.strip() else shown

    def _hide(self, end: int) -> Markup:
        for line in self.lines[self.index : end]:
            self.writer.skip(line)
        self.index = end
        return Markup()

    def _skip_blank(self) -> None:
        while self.index < len(self.lines) and not self.bare[self.index].strip():
            self.writer.skip(self.lines[self.index])
            self.index += 1

    def _end_of_indented(self, index: int) -> int:
        """Return the end of the indented lines from `index`, without blank lines at the end."""
        end = index
        while index < len(self.bare):
            if self.bare[index].strip():
                if not self.bare[index][0].isspace():
                    break
                end = index + 1
            index += 1
        return end

    def _end_of_item(self, index: int) -> int:
        while index < len(self.bare) and self.bare[index][:1].isspace():
            index += 1
        return index

    def _inline(self, text: str) -> Markup:
        return write_inline(text, self.targets, self.writer)

    def _nested(self, lines: Sequence[str]) -> Markup:
        """Render the blocks of a list item or of a directive's body."""
        if self.depth >= MAX_DEPTH:
            return self._inline("\n".join(lines))
        reader = _BlockReader(lines, self.targets, self.writer, self.depth + 1)
        return Markup("\n").join(block.html for block in reader.read())

    _TAKERS = (
        _take_table,
        _take_heading,
        _take_explicit,
        _take_fields,
        _take_bullets,
        _take_numbers,
        _take_doctest,
        _take_lines,
        _take_definition,
    )


def _open_numbers(mark: str) -> str:
    sign = mark.strip("(.) \t")
    if sign.isdigit():
        return f'<ol start="{int(sign)}">'
    if sign == "#":
        return "<ol>"
    kind = "a" if sign.islower() else "A"
    return f'<ol type="{kind}" start="{ord(sign.lower()) - ord("a") + 1}">'


def _dedent(lines: Sequence[str], least: int | None = None) -> list[str]:
    """Remove the common indentation of lines, but at most `least` columns."""
    widths = [
        len(bare) - len(bare.lstrip()) for line in lines if (bare := remove_markers(line)).strip()
    ]
    shared = min(widths, default=0)
    shared = shared if least is None else min(shared, least)
    return [skip_chars(line, min(shared, _indent_of(line))) for line in lines]


def _indent_of(line: str) -> int:
    bare = remove_markers(line)
    return len(bare) - len(bare.lstrip())


def _drop_colons(line: str) -> str:
    """Return the last line of a paragraph before a code block: `text:` for `text::`."""
    bare = remove_markers(line)
    kept = "" if bare in ("::", "") else line.rstrip()[:-1]
    return kept.removesuffix(" :") if kept.endswith(" :") else kept
