"""Splits a document into pieces. A piece is an element or a part of a long element.

A piece is never split again. A heading is in one piece with the text that follows it. `packing`
decides which pieces share a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from ragline.chunking.boundaries import (
    block_starts,
    last_break,
    line_starts,
    paragraph_starts,
    sentence_starts,
    strip_span,
)
from ragline.chunking.headers import MARKUP, HeadingPath, one_line
from ragline.chunking.token_map import TokenMap
from ragline.parsing.parsed_document import Category, Element, ParsedDocument

# The costs of a split, by its position. An empty chunk costs 1. A negative cost favours the
# position. Source: benchmarks/chunking_quality.py. The costs of splits between sections raised
# nDCG@10 of sections from 0.72 to 0.77 (docs_qa). Each other cost was varied between 0 and 0.5;
# this changed nDCG@10 by at most 0.01.
# The costs of a split between two sections that share 0, 1, and 2 or more headings. Headings that
# all sections of the document share do not count.
SECTION_SPLIT_COSTS = (-0.9, -0.6, -0.4)
ELEMENT_SPLIT_COST = 0.0
LIST_ITEM_SPLIT_COST = 0.05
COLON_SPLIT_COST = 0.3
BLOCK_SPLIT_COST = 0.05
LINE_SPLIT_COST = 0.1
PARAGRAPH_SPLIT_COST = 0.0
SENTENCE_SPLIT_COST = 0.15
WORD_SPLIT_COST = 1.0
CLOSING_HEADING_SPLIT_COST = 2.0
# Rows and sentences that are shorter than this share of a chunk are joined into groups. Splits
# between them are equivalent. Without groups, a file of a million short lines would take too long.
MIN_GROUP_SHARE = 1 / 16

_FindStarts = Callable[[str, int, int], list[int]]
# The rules that split an element that is too long. A rule is a function that finds the starts of
# the parts of the element, and the cost of a split at such a start.
_SplitRules = tuple[tuple[_FindStarts, float], ...]
_PROSE: _SplitRules = (
    (paragraph_starts, PARAGRAPH_SPLIT_COST),
    (sentence_starts, SENTENCE_SPLIT_COST),
)
_SPLIT_RULES: dict[Category, _SplitRules] = {
    "title": _PROSE,
    "text": _PROSE,
    "list_item": _PROSE,
    "table": ((line_starts, LINE_SPLIT_COST),),
    "code": ((block_starts, BLOCK_SPLIT_COST), (line_starts, LINE_SPLIT_COST)),
}


class Piece(NamedTuple):
    """A span that is never split. `split_cost` is the cost of a chunk that starts at this piece.

    `section` is the heading path of its content, including its own headings. `above` is the
    heading path at its first character. The header of a chunk that begins here shows `above`.
    """

    start: int
    end: int
    split_cost: float
    section: HeadingPath
    above: HeadingPath


class _Span(NamedTuple):
    start: int
    end: int
    split_cost: float


class PieceSplitter:
    """Splits one document into pieces.

    `room` returns the number of tokens for text in a chunk of a section.
    """

    def __init__(
        self, document: ParsedDocument, tokens: TokenMap, room: Callable[[HeadingPath], int]
    ) -> None:
        self._text = document.text
        self._tokens = tokens
        self._room = room
        self._elements = [e for e in document.elements if tokens.has_tokens(e.start, e.end)]
        bodies = [e.heading_path for e in self._elements if e.category != "title"]
        self._shared_depth = shared_depth(bodies)
        self._narrowest = min((room(e.heading_path) for e in self._elements), default=1)

    def list_pieces(self) -> list[Piece]:
        """Return the pieces in reading order. Together they cover every element."""
        pieces: list[Piece] = []
        headings: list[int] = []
        for index, element in enumerate(self._elements):
            is_heading = self._is_heading(element)
            if headings and not self._can_join(headings[0], element, is_heading=is_heading):
                pieces.append(self._join_headings(headings, pieces))
                headings = []
            if is_heading:
                headings.append(index)
            else:
                pieces.extend(self._split_element(index, headings, pieces[-1:]))
                headings = []
        if headings:
            closing = self._join_headings(headings, pieces)
            pieces.append(closing._replace(split_cost=CLOSING_HEADING_SPLIT_COST))
        return pieces

    def _is_heading(self, element: Element) -> bool:
        """Whether an element is a heading. A title longer than half a chunk is a paragraph."""
        return element.category == "title" and self._share(element.start, element.end) <= 1 / 2

    def _can_join(self, first: int, element: Element, *, is_heading: bool) -> bool:
        """Whether an element fits in one piece with the headings from index `first` on.

        If the element is not a heading, it is enough that its beginning fits.
        """
        start = self._elements[first].start
        if is_heading:
            return self._share(start, element.end) <= 1 / 2
        return self._share(start, element.start) <= 2 / 3

    def _share(self, start: int, end: int) -> float:
        return self._tokens.size(start, end) / self._narrowest

    def _join_headings(self, headings: list[int], before: Sequence[Piece]) -> Piece:
        first, last = self._elements[headings[0]], self._elements[headings[-1]]
        start, end = strip_span(self._text, first.start, last.end)
        section = self._section_opened_by(headings[-1])
        return Piece(
            start, end, self._find_split_cost(section, last, before), section, first.heading_path
        )

    def _section_opened_by(self, index: int) -> HeadingPath:
        heading = self._elements[index]
        depth = len(heading.heading_path)
        if index + 1 < len(self._elements):
            following = self._elements[index + 1].heading_path
            if len(following) > depth and following[:depth] == heading.heading_path:
                return following[: depth + 1]
        own = one_line(self._text[heading.start : heading.end]).strip(MARKUP)
        return (*heading.heading_path, own)

    def _split_element(
        self, index: int, headings: list[int], before: Sequence[Piece]
    ) -> Iterator[Piece]:
        """Yield the pieces of an element. The first one begins with the headings before it."""
        element = self._elements[index]
        first = self._elements[headings[0]] if headings else element
        room = min(self._room(first.heading_path), self._room(element.heading_path))
        room -= self._tokens.size(first.start, element.start)
        start, end = element.start, element.end
        section, above = element.heading_path, first.heading_path
        cost = self._find_split_cost(section, element, before)
        for span in self._split(start, end, cost, room, _SPLIT_RULES[element.category]):
            span_start, span_end = self._trim(span, element.category)
            if headings and span.start == start:
                span_start, _ = strip_span(self._text, first.start, element.end)
                yield Piece(span_start, span_end, span.split_cost, section, above)
            elif self._tokens.has_tokens(span_start, span_end):
                yield Piece(span_start, span_end, span.split_cost, section, section)

    def _trim(self, span: _Span, category: Category) -> tuple[int, int]:
        start, end = strip_span(self._text, span.start, span.end)
        if category == "code":  # keeps the indent of the first line
            start = max(span.start, self._text.rfind("\n", span.start, start) + 1)
        return start, end

    def _find_split_cost(
        self, section: HeadingPath, element: Element, before: Sequence[Piece]
    ) -> float:
        if not before:
            return ELEMENT_SPLIT_COST
        previous = before[-1]
        if previous.section != section:
            depth = shared_depth([previous.section, section]) - self._shared_depth
            return SECTION_SPLIT_COSTS[min(max(depth, 0), len(SECTION_SPLIT_COSTS) - 1)]
        if self._text[previous.end - 1] in ":\uff1a":
            return COLON_SPLIT_COST
        return LIST_ITEM_SPLIT_COST if element.category == "list_item" else ELEMENT_SPLIT_COST

    def _split(
        self,
        start: int,
        end: int,
        split_cost: float,
        room: int,
        rules: _SplitRules,
    ) -> Iterator[_Span]:
        """Yield spans of at most `room` tokens.

        The first rule splits the span. The next rule splits a part that is still too long. A part
        that is too long after the last rule is split after clauses or words.
        """
        if self._tokens.size(start, end) <= room:
            yield _Span(start, end, split_cost)
        elif not rules:
            yield from self._split_evenly(start, end, split_cost, room)
        else:
            find_starts, rule_cost = rules[0]
            for unit_start, unit_end in self._group_units(find_starts, start, end, room):
                yield from self._split(unit_start, unit_end, split_cost, room, rules[1:])
                split_cost = rule_cost

    def _group_units(
        self, find_starts: _FindStarts, start: int, end: int, room: int
    ) -> Iterator[tuple[int, int]]:
        """Yield the units between the starts. Short units are joined into groups.

        A group is complete when it has the share MIN_GROUP_SHARE of `room`.
        """
        opened = start
        for unit_start, unit_end in pairwise([*find_starts(self._text, start, end), end]):
            if self._tokens.size(opened, unit_end) > room and opened < unit_start:
                yield opened, unit_start
                opened = unit_start
            if self._tokens.size(opened, unit_end) >= room * MIN_GROUP_SHARE:
                yield opened, unit_end
                opened = unit_end
        if opened < end:
            yield opened, end

    def _split_evenly(self, start: int, end: int, split_cost: float, room: int) -> Iterator[_Span]:
        """Yield spans of similar size with at most `room` tokens, split after clauses or words."""
        while self._tokens.size(start, end) > room:
            size = self._tokens.size(start, end)
            reach = self._tokens.reach(start, ceil(size / ceil(size / room)))
            stop = last_break(self._text, start, min(reach, end))
            yield _Span(start, stop, split_cost)
            start, split_cost = stop, WORD_SPLIT_COST
        if start < end:
            yield _Span(start, end, split_cost)


def shared_depth(paths: Collection[HeadingPath]) -> int:
    """Return the number of headings that all paths share at their beginning."""
    depth = 0
    for headings in zip(*paths, strict=False):
        if len(set(headings)) > 1:
            break
        depth += 1
    return depth
