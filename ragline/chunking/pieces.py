"""What is never cut: elements that fit into a chunk, and the parts of those that do not.

Headings are joined with what follows them. Which pieces share a chunk is `packing`.
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

# What it costs to begin a chunk at a place; an empty chunk costs 1. Below 0: a good place.
# Source: benchmarks/chunking_quality.py. Sections that share no chunk raised nDCG@10 of sections
# from 0.72 to 0.77 (docs_qa); the others moved nothing by more than 0.01 between 0 and 0.5.
SECTION_CUTS = (-0.9, -0.6, -0.4)
ELEMENT_CUT = 0.0
LIST_ITEM_CUT = 0.05
COLON_CUT = 0.3
BLOCK_CUT = 0.05
LINE_CUT = 0.1
PARAGRAPH_CUT = 0.0
SENTENCE_CUT = 0.15
WORD_CUT = 1.0
CLOSING_HEADING_CUT = 2.0
# Rows and sentences shorter than this share of a chunk are taken by the handful: cuts between
# them are alike, and a file of a million short lines has to end in seconds.
HANDFUL_SHARE = 1 / 16

_Cutter = Callable[[str, int, int], list[int]]
_Cutters = tuple[tuple[_Cutter, float], ...]
_PROSE: _Cutters = ((paragraph_starts, PARAGRAPH_CUT), (sentence_starts, SENTENCE_CUT))
_CUTTERS: dict[Category, _Cutters] = {
    "title": _PROSE,
    "text": _PROSE,
    "list_item": _PROSE,
    "table": ((line_starts, LINE_CUT),),
    "code": ((block_starts, BLOCK_CUT), (line_starts, LINE_CUT)),
}


class Piece(NamedTuple):
    """A span that stays whole. `cut` is what it costs to begin a chunk with it.

    `section` is the heading path of what it says, its own headings included; `above` is that
    of its first character, for the header.
    """

    start: int
    end: int
    cut: float
    section: HeadingPath
    above: HeadingPath


class _Span(NamedTuple):
    start: int
    end: int
    cut: float


class PieceCutter:
    """Cuts one document into pieces. `room` tells the tokens a chunk of a section may have."""

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

    def pieces(self) -> list[Piece]:
        """The pieces in reading order; together they cover every element."""
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
                pieces.extend(self._cut_element(index, headings, pieces[-1:]))
                headings = []
        if headings:
            closing = self._join_headings(headings, pieces)
            pieces.append(closing._replace(cut=CLOSING_HEADING_CUT))
        return pieces

    def _is_heading(self, element: Element) -> bool:
        """A "title" that would fill half a chunk is a paragraph to us."""
        return element.category == "title" and self._share(element.start, element.end) <= 1 / 2

    def _can_join(self, first: int, element: Element, *, is_heading: bool) -> bool:
        """Whether headings from `first` on leave room for more, or for a start of the text."""
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
        return Piece(start, end, self._price(section, last, before), section, first.heading_path)

    def _section_opened_by(self, index: int) -> HeadingPath:
        heading = self._elements[index]
        depth = len(heading.heading_path)
        if index + 1 < len(self._elements):
            following = self._elements[index + 1].heading_path
            if len(following) > depth and following[:depth] == heading.heading_path:
                return following[: depth + 1]
        own = one_line(self._text[heading.start : heading.end]).strip(MARKUP)
        return (*heading.heading_path, own)

    def _cut_element(
        self, index: int, headings: list[int], before: Sequence[Piece]
    ) -> Iterator[Piece]:
        """The pieces of an element, the first of them beginning with the headings before it."""
        element = self._elements[index]
        first = self._elements[headings[0]] if headings else element
        room = min(self._room(first.heading_path), self._room(element.heading_path))
        room -= self._tokens.size(first.start, element.start)
        start, end = element.start, element.end
        section, above = element.heading_path, first.heading_path
        price = self._price(section, element, before)
        for span in self._split(start, end, price, room, _CUTTERS[element.category]):
            span_start, span_end = self._trim(span, element.category)
            if headings and span.start == start:
                span_start, _ = strip_span(self._text, first.start, element.end)
                yield Piece(span_start, span_end, span.cut, section, above)
            elif self._tokens.has_tokens(span_start, span_end):
                yield Piece(span_start, span_end, span.cut, section, section)

    def _trim(self, span: _Span, category: Category) -> tuple[int, int]:
        start, end = strip_span(self._text, span.start, span.end)
        if category == "code":  # the indent of its first line belongs to a listing
            start = max(span.start, self._text.rfind("\n", span.start, start) + 1)
        return start, end

    def _price(self, section: HeadingPath, element: Element, before: Sequence[Piece]) -> float:
        if not before:
            return ELEMENT_CUT
        previous = before[-1]
        if previous.section != section:
            depth = shared_depth([previous.section, section]) - self._shared_depth
            return SECTION_CUTS[min(max(depth, 0), len(SECTION_CUTS) - 1)]
        if self._text[previous.end - 1] in ":\uff1a":
            return COLON_CUT
        return LIST_ITEM_CUT if element.category == "list_item" else ELEMENT_CUT

    def _split(
        self,
        start: int,
        end: int,
        cut: float,
        room: int,
        cutters: _Cutters,
    ) -> Iterator[_Span]:
        """Spans of at most `room`, by the first cutter that finds a place, else by words."""
        if self._tokens.size(start, end) <= room:
            yield _Span(start, end, cut)
        elif not cutters:
            yield from self._split_evenly(start, end, cut, room)
        else:
            find_starts, price = cutters[0]
            for unit_start, unit_end in self._handfuls(find_starts, start, end, room):
                yield from self._split(unit_start, unit_end, cut, room, cutters[1:])
                cut = price

    def _handfuls(
        self, find_starts: _Cutter, start: int, end: int, room: int
    ) -> Iterator[tuple[int, int]]:
        opened = start
        for unit_start, unit_end in pairwise([*find_starts(self._text, start, end), end]):
            if self._tokens.size(opened, unit_end) > room and opened < unit_start:
                yield opened, unit_start
                opened = unit_start
            if self._tokens.size(opened, unit_end) >= room * HANDFUL_SHARE:
                yield opened, unit_end
                opened = unit_end
        if opened < end:
            yield opened, end

    def _split_evenly(self, start: int, end: int, cut: float, room: int) -> Iterator[_Span]:
        while self._tokens.size(start, end) > room:
            size = self._tokens.size(start, end)
            reach = self._tokens.reach(start, ceil(size / ceil(size / room)))
            stop = last_break(self._text, start, min(reach, end))
            yield _Span(start, stop, cut)
            start, cut = stop, WORD_CUT
        if start < end:
            yield _Span(start, end, cut)


def shared_depth(paths: Collection[HeadingPath]) -> int:
    """How many headings all paths begin with."""
    depth = 0
    for headings in zip(*paths, strict=False):
        if len(set(headings)) > 1:
            break
        depth += 1
    return depth
