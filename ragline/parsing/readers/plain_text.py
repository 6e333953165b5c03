"""Reads plain text. It finds headings, paragraphs, lists and tables by their layout.

The text is unchanged. A line is a heading only if it is underlined or marked as `== heading ==`, if
it is a single line in capitals, or if it is at the margin above indented text.
"""

from __future__ import annotations

import re

from ragline.parsing.document_text import SourceText
from ragline.parsing.parsed_document import Category, ParsedDocument
from ragline.parsing.source_lines import (
    Line,
    find_underlined_heading,
    find_wiki_heading,
    is_list_item,
    split_lines,
)
from ragline.parsing.text_encoding import decode_text

LITERAL_MARK = "::"  # from reStructuredText, but authors also use it in plain text
MIN_PAGE_WIDTH = 60
EARLY_END_RATIO = 0.8
_SENTENCE_ENDS = '.!?:;"”’)]'
MARKER_WIDTH = 2
MARGIN_INDENT = 2
MIN_INDENTED_RATIO = 0.6
MAX_PLAIN_HEADING_CHARS = 80
MAX_PLAIN_HEADING_WORDS = 12
_HEADER_FIELD = re.compile(r"([A-Z][\w-]{1,30}): *(.*)")
_TITLE_FIELDS = {"title", "subject"}
_NUMBERING = re.compile(r"(\d+(?:\.\d+)*)\.?\s+\S")
_TABLE_BORDER = re.compile(r"\s*(?:\+[-=+]+\+|[|+].*[|+]|={2,}(?:\s+={2,})+|-{2,}(?:\s+-{2,})+)\s*")
_TABS = re.compile(r"\S\t+\S")


def read_plain_text(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text of the file, with its blocks."""
    return PlainTextScanner(decode_text(content)).scan(file_type)


class PlainTextScanner:
    """Reads the lines of a text once and marks its blocks."""

    has_plain_headings = True

    def __init__(self, text: str) -> None:
        self.source = SourceText(text)
        self.lines = split_lines(self.source.text)
        self.index = 0
        self.title: str | None = None
        self._styles: list[str] = []
        self.literal_indent: int | None = None
        self._has_margin_headings = _is_mostly_indented(self.lines)

    def scan(self, file_type: str) -> ParsedDocument:
        self.skip_blank()
        self._mark_header_fields()
        while self.index < len(self.lines):
            if self.lines[self.index].is_blank:
                self.index += 1
            else:
                self.mark_block()
        return self.source.finish(file_type, title=self.title)

    def mark_block(self) -> None:
        """Mark the block that begins at the current line, and skip it. The line is not blank."""
        if not (self._mark_pending_literal() or self.mark_markup() or self.mark_heading()):
            self.mark_paragraph()

    def mark_markup(self) -> bool:
        """Mark a block of markup, and return whether there was one. Plain text has no markup."""
        return False

    def mark_literal(self, indent: int) -> None:
        """Mark the lines with a deeper indent than `indent`, and blank lines, as one code block."""
        first = self.index
        self.index = self.end_of_indented(indent)
        self.add_lines("code", first, self.index)

    def _mark_pending_literal(self) -> bool:
        indent, self.literal_indent = self.literal_indent, None
        if indent is None or self.lines[self.index].indent <= indent:
            return False
        self.mark_literal(indent)
        return True

    def end_of_indented(self, indent: int) -> int:
        """Return the index of the next line that is not blank and has no deeper indent."""
        index = self.index
        while index < len(self.lines):
            line = self.lines[index]
            if not line.is_blank and line.indent <= indent:
                break
            index += 1
        return index

    def mark_heading(self) -> bool:
        """Mark a heading that begins at the current line, and return whether there was one."""
        found = find_underlined_heading(self.lines, self.index)
        if found:
            title, style, line_count = found
            self._add_heading(self.lines[title], self._level_of(style))
            self.index += line_count
            return True
        line = self.lines[self.index]
        marked = find_wiki_heading(line.text)
        if marked:
            heading, level = marked
            start = line.start + line.text.index(heading)
            self.source.add_heading(start, start + len(heading), level)
        elif self.has_plain_headings and self._is_plain_heading():
            numbering = _NUMBERING.match(line.text)
            depth = numbering.group(1).count(".") if numbering else 0
            self._add_heading(line, len(self._styles) + 1 + depth)
        else:
            return False
        self.index += 1
        return True

    def mark_paragraph(self) -> None:
        """Mark the lines up to a blank line as one block. Each item of a list is a block."""
        first = self.index
        while self.index < len(self.lines) and not self.lines[self.index].is_blank:
            if self.index > first and self.is_break(first, self.index):
                break
            self.index += 1
        if self.lines[first].text.strip() == LITERAL_MARK:
            pass
        elif is_list_item(self.lines[first].text):
            self._add_items(first, self.index)
        elif self._is_table(first, self.index):
            self.add_lines("table", first, self.index)
        else:
            self.add_lines("text", first, self.index)
        last = self.lines[self.index - 1]
        if last.text.rstrip().endswith(LITERAL_MARK):
            self.literal_indent = last.indent + (MARKER_WIDTH if is_list_item(last.text) else 0)

    def is_break(self, first: int, index: int) -> bool:
        """Whether the paragraph that begins at `first` ends before this line, which is not blank.

        Text that was copied from a page has no blank lines. In such text, a paragraph ends after a
        sentence that ends early in its line, and before the next item of a list.
        """
        before, line = self.lines[index - 1].text.rstrip(), self.lines[index].text
        if before[-1] not in _SENTENCE_ENDS:
            return find_wiki_heading(line) is not None
        width = max(len(one.text) for one in self.lines[max(first, index - 6) : index + 1])
        is_early = width >= MIN_PAGE_WIDTH and len(before) < EARLY_END_RATIO * width
        return is_early or is_list_item(line) or find_wiki_heading(line) is not None

    def _mark_header_fields(self) -> None:
        """Mark header fields at the start of a text, as in an e-mail. A field can be the title."""
        first = self.index
        fields: dict[str, str] = {}
        while self.index < len(self.lines) and not self.lines[self.index].is_blank:
            line = self.lines[self.index]
            found = _HEADER_FIELD.fullmatch(line.text.rstrip())
            if found:
                fields[found.group(1).lower()] = found.group(2)
            elif not (line.indent and fields):
                fields.clear()
                break
            self.index += 1
        if len(fields) < 3:
            self.index = first
            return
        self.title = next((fields[name] for name in fields if name in _TITLE_FIELDS), None)
        self.add_lines("text", first, self.index)

    def _is_plain_heading(self) -> bool:
        """Whether the current line is between blank lines and looks like a heading."""
        line = self.lines[self.index]
        text = line.text.strip()
        before, after = self._neighbour(-1), self._neighbour(1)
        is_single = (before is None or before.is_blank) and (after is not None and after.is_blank)
        if not is_single or len(text) > MAX_PLAIN_HEADING_CHARS or text[-1] in ".,;:":
            return False
        if len(text.split()) > MAX_PLAIN_HEADING_WORDS or "   " in text or "\t" in text:
            return False
        if self._has_margin_headings:
            return line.indent == 0 and text[0].isalnum() and self._indent_below() >= MARGIN_INDENT
        return text.isupper() and sum(map(str.isalpha, text)) >= 4 and not is_list_item(text)

    def _neighbour(self, distance: int) -> Line | None:
        index = self.index + distance
        return self.lines[index] if 0 <= index < len(self.lines) else None

    def _indent_below(self) -> int:
        below = (line for line in self.lines[self.index + 1 : self.index + 6] if not line.is_blank)
        return next((line.indent for line in below), 0)

    def skip_blank(self) -> None:
        while self.index < len(self.lines) and self.lines[self.index].is_blank:
            self.index += 1

    def _level_of(self, style: str) -> int:
        """Return the level of a style. Styles are numbered in the order of their first use."""
        if style not in self._styles:
            self._styles.append(style)
        return self._styles.index(style) + 1

    def _add_heading(self, line: Line, level: int) -> None:
        self.source.add_heading(line.start, line.end, level)

    def add_lines(self, category: Category, first: int, end: int) -> None:
        """Mark the lines from `first` to `end` as one block. The line `end` is not included."""
        if first < end:
            self.source.add(category, self.lines[first].start, self.lines[end - 1].end)

    def _add_items(self, first: int, end: int) -> None:
        start = first
        for index in range(first + 1, end):
            if is_list_item(self.lines[index].text):
                self.add_lines("list_item", start, index)
                start = index
        self.add_lines("list_item", start, end)

    def _is_table(self, first: int, end: int) -> bool:
        lines = [line.text for line in self.lines[first:end]]
        if _TABLE_BORDER.fullmatch(lines[0]):
            return True
        return len(lines) > 1 and all(_TABS.search(line) for line in lines)


def _is_mostly_indented(lines: list[Line]) -> bool:
    written = [line for line in lines if not line.is_blank]
    indented = sum(line.indent >= MARGIN_INDENT for line in written)
    return indented > MIN_INDENTED_RATIO * len(written)
