"""Reads Markdown: the text is unchanged, and its elements are the blocks of CommonMark.

Front matter is not part of the text; `front_matter` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ragline.parsing.document_text import SourceText
from ragline.parsing.front_matter import find_block, find_front_matter
from ragline.parsing.parsed_document import Category, ParsedDocument
from ragline.parsing.source_lines import Line, find_wiki_heading, split_lines
from ragline.parsing.text_encoding import decode_text

_HEADING_MARK = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)*#{1,6}[ \t]+")
_CLOSING_MARK = re.compile(r"[ \t]+#+[ \t]*$")
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_CODE = frozenset(("fence", "code_block"))


def read_markdown(content: bytes, file_type: str) -> ParsedDocument:
    """Read the text below the front matter, with its headings, lists, tables and code."""
    text = decode_text(content)
    front = find_front_matter(text)
    if front is None:
        return _MarkdownMarker(SourceText(text)).mark(file_type)
    source = SourceText(text[front.end :].lstrip("\r\n"))
    return _MarkdownMarker(source).mark(file_type, front.title)


class _MarkdownMarker:
    """Marks the leaf blocks of the syntax tree. Two leaf blocks never share a line."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._lines = split_lines(source.text)
        self._list_depth = 0

    def mark(self, file_type: str, title: str | None = None) -> ParsedDocument:
        first = 0 if title else self._mark_unread_front_matter()
        # A blank line replaces each line of front matter, so the line numbers do not change.
        rest = "\n" * first + self._source.text[self._start_of(first) :]
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(rest)
        for index, token in enumerate(tokens):
            self._mark_token(tokens, index, token)
        return self._source.finish(file_type, title=title)

    def _mark_token(self, tokens: Sequence[Token], index: int, token: Token) -> None:
        if token.type in {"list_item_open", "list_item_close"}:
            self._list_depth += token.nesting
        if token.map is None:
            return
        first, stop = token.map
        if token.type == "heading_open":
            self._mark_heading(first, stop, int(token.tag[1:]), tokens[index + 1])
        elif token.type == "paragraph_open":
            self._mark_paragraph(first, stop)
        elif token.type == "table_open":
            self._add("table", first, stop)
        elif token.type in _CODE:
            self._mark_code(first, stop, is_fenced=token.type == "fence")
        elif token.type == "html_block" and _TAG.sub("", token.content).strip():
            self._add("text", first, stop)

    def _mark_heading(self, first: int, stop: int, level: int, inline: Token) -> None:
        line = self._lines[first]
        mark = _HEADING_MARK.match(line.text)
        end = self._lines[stop - 1].end if mark else self._end_of_setext(first, stop)
        start = line.start + (mark.end() if mark else 0)
        if mark:
            closing = _CLOSING_MARK.search(line.text, mark.end())
            end = line.start + closing.start() if closing else end
        self._source.add_heading(start, end, level, heading=_plain(inline))

    def _end_of_setext(self, first: int, stop: int) -> int:
        return self._lines[max(stop - 2, first)].end

    def _mark_paragraph(self, first: int, stop: int) -> None:
        category: Category = "list_item" if self._list_depth else "text"
        start = first
        for index in range(first, stop):
            marked = find_wiki_heading(self._lines[index].text)
            if marked:
                self._add(category, start, index)
                self._mark_wiki_heading(self._lines[index], *marked)
                start = index + 1
        self._add(category, start, stop)

    def _mark_wiki_heading(self, line: Line, heading: str, level: int) -> None:
        start = line.start + line.text.index(heading)
        self._source.add_heading(start, start + len(heading), level)

    def _mark_code(self, first: int, stop: int, *, is_fenced: bool) -> None:
        """Mark the lines of a code block. The fences, which enclose the block, are not marked.

        If the last block of a text has no closing fence, the block ends at the end of the text.
        """
        if is_fenced:
            closing = self._lines[stop - 1].text.strip(" \t>")
            is_closed = stop - 1 > first and closing and not closing.strip("`~")
            first, stop = first + 1, stop - 1 if is_closed else stop
        self._add("code", first, stop)

    def _mark_unread_front_matter(self) -> int:
        """Mark malformed front matter as text, and return the index of the line after it."""
        block = find_block(self._source.text)
        if block is None:
            return 0
        self._add("text", 1, len(block) - 1)
        return len(block)

    def _start_of(self, index: int) -> int:
        return self._lines[index].start if index < len(self._lines) else len(self._source.text)

    def _add(self, category: Category, first: int, stop: int) -> None:
        stop = min(stop, len(self._lines))
        if first < stop:
            self._source.add(category, self._lines[first].start, self._lines[stop - 1].end)


def _plain(inline: Token) -> str:
    """Return the text of a heading without markup."""
    parts = (child.content if child.type != "softbreak" else " " for child in inline.children or [])
    return "".join(parts) or inline.content
