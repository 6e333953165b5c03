"""Reads reStructuredText without docutils: its sections, blocks and directives.

The text is unchanged. Text that a rendered page does not show belongs to no element. Examples are
comments, link targets and the options of directives.
"""

from __future__ import annotations

import re

from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.plain_text import PlainTextScanner
from ragline.parsing.source_lines import find_adornment, find_underlined_heading
from ragline.parsing.text_encoding import decode_text

_EXPLICIT = re.compile(r"\s*(?:\.\.(?:\s+(?P<rest>\S.*))?|__\s.*)$")
_DIRECTIVE = re.compile(r"(?:\|[^|]+\|\s+)?([A-Za-z][\w:+.-]*?)\s?::(?:\s+(\S.*))?$")
_FOOTNOTE = re.compile(r"\[[^\]]+\](?:\s|$)")
_TARGET = re.compile(r"_[^:]*(?::|$)|_`[^`]+`:|__:")
_OPTION = re.compile(r"\s*:[\w -]+:(?:\s|$)")
_SIMPLE_TABLE = re.compile(r"\s*={2,}(?:\s+={2,})+\s*")
_CODE_BLOCKS = frozenset(
    [
        "code",
        "code-block",
        "sourcecode",
        "parsed-literal",
        "math",
        "doctest",
        "testcode",
        "productionlist",
    ]
)
_TABLES = frozenset(["csv-table", "list-table"])
_PICTURES = frozenset(["image", "figure"])
_INVISIBLE = frozenset(
    [
        "include",
        "literalinclude",
        "contents",
        "toctree",
        "meta",
        "index",
        "raw",
        "highlight",
        "default-role",
        "role",
        "currentmodule",
        "module",
        "replace",
        "unicode",
        "date",
        "class",
        "sectnum",
        "target-notes",
        "header",
        "footer",
        "autosummary",
        "automodule",
        "autoclass",
        "autofunction",
        "tabularcolumns",
        "only",
    ]
)


def read_restructured_text(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text of the file, with its blocks."""
    return RestructuredTextScanner(decode_text(content)).scan(file_type)


class RestructuredTextScanner(PlainTextScanner):
    """Reads the explicit markup and the tables of reStructuredText, in addition to plain text."""

    has_plain_headings = False

    def mark_markup(self) -> bool:
        line = self.lines[self.index]
        explicit = _EXPLICIT.match(line.text)
        if explicit:
            self._mark_explicit(explicit.group("rest") or "", line.end)
        elif _SIMPLE_TABLE.fullmatch(line.text):
            self._mark_simple_table()
        elif find_adornment(line.text) and not find_underlined_heading(self.lines, self.index):
            self.index += 1  # a horizontal line
        else:
            return False
        return True

    def is_break(self, first: int, index: int) -> bool:  # noqa: ARG002  only blank lines count
        return False

    def _mark_explicit(self, rest: str, line_end: int) -> None:
        """Handle `.. rest`: a directive, the text of a footnote, a link target or a comment."""
        directive = _DIRECTIVE.match(rest)
        if directive:
            argument = directive.group(2) or ""
            self._mark_directive(directive.group(1), line_end - len(argument))
        elif _FOOTNOTE.match(rest):
            self._mark_text_from(line_end - len(rest))
        elif not rest or _TARGET.match(rest):
            self.index = self._end_of_paragraph()
        else:
            self._skip_body()

    def _mark_directive(self, name: str, argument_start: int) -> None:
        indent = self.lines[self.index].indent
        if name in _INVISIBLE:
            self._skip_body()
        elif name in _CODE_BLOCKS | _TABLES:
            self._skip_options()
            first, self.index = self.index, self.end_of_indented(indent)
            self.add_lines("table" if name in _TABLES else "code", first, self.index)
        elif name in _PICTURES:
            self._skip_options()
        else:
            self._mark_text_from(argument_start)

    def _mark_text_from(self, start: int) -> None:
        """Mark the text that begins at `start` in the current line.

        Indented blocks after it are marked later. If the text is empty, the options below the line
        are left out.
        """
        if start == self.lines[self.index].end:
            self._skip_options()
            return
        self.index = self._end_of_paragraph()
        self.source.add("text", start, self.lines[self.index - 1].end)

    def _skip_body(self) -> None:
        """Skip the current line and all lines with a deeper indent."""
        indent = self.lines[self.index].indent
        self.index += 1
        self.index = self.end_of_indented(indent)

    def _skip_options(self) -> None:
        """Skip the current line and the options below it."""
        self.index += 1
        while self.index < len(self.lines) and _OPTION.match(self.lines[self.index].text):
            self.index += 1

    def _end_of_paragraph(self) -> int:
        """Return the index of the next line that is blank or has no deeper indent."""
        index, indent = self.index + 1, self.lines[self.index].indent
        while index < len(self.lines):
            line = self.lines[index]
            if line.is_blank or line.indent <= indent:
                break
            index += 1
        return index

    def _mark_simple_table(self) -> None:
        """Mark a table with `====` borders. The table can contain blank lines."""
        first = self.index
        index = first + 1
        while index < len(self.lines):
            is_last = index + 1 == len(self.lines) or self.lines[index + 1].is_blank
            if is_last and _SIMPLE_TABLE.fullmatch(self.lines[index].text):
                self.index = index + 1
                self.add_lines("table", first, self.index)
                return
            index += 1
        self.mark_paragraph()
