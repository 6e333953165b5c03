"""Makes the chunks of a parsed document.

`pieces` finds spans that are never split, `packing` joins them, and `headers` writes the headers.
This module combines these steps and counts the tokens of each chunk exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ragline.chunking.boundaries import last_break, sentence_starts, strip_span
from ragline.chunking.headers import Headers, HeadingPath
from ragline.chunking.packing import ChunkStart, pack_pieces
from ragline.chunking.pieces import Piece, PieceSplitter, shared_depth
from ragline.chunking.token_map import TokenMap
from ragline.embedder.tokenizer import TokenCounter
from ragline.fingerprints import fingerprint
from ragline.parsing.parsed_document import ParsedDocument

# Increase this number when a change of the code can change the chunks of existing parses.
CHUNKER_VERSION = 1


class ChunkBudget(Protocol):
    """The settings of a collection that determine the size of its chunks."""

    @property
    def max_tokens(self) -> int: ...

    @property
    def overlap_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document. `text` is `document.text[char_start:char_end]`.

    `embedded_text` is the text that the model reads: the header and then `text`. The header is a
    line with the title and the headings above the chunk. Without title and headings, there is no
    header. `token_count` is the number of tokens of `embedded_text`, without special tokens.
    `heading_path` contains the headings that apply to the whole chunk. `page` is the page on which
    the chunk begins, or None.
    """

    ordinal: int
    text: str
    char_start: int
    char_end: int
    heading_path: tuple[str, ...]
    page: int | None
    embedded_text: str
    token_count: int


def chunk_document(
    document: ParsedDocument, settings: ChunkBudget, tokenizer: TokenCounter
) -> list[Chunk]:
    """Return the chunks of a document, in reading order. Equal input gives equal chunks.

    The chunks contain all text of the elements, as far as the model can read it. Text outside of
    elements is in a chunk only if it is between two elements of that chunk. An `embedded_text` has
    at most `settings.max_tokens` tokens, and at most as many tokens as the model reads. Consecutive
    chunks of one section share whole sentences of up to `settings.overlap_tokens` tokens. A
    document without text has no chunks.
    """
    return _Chunker(document, settings, tokenizer).make_chunks()


def chunker_fingerprint(settings: ChunkBudget, tokenizer: TokenCounter) -> str:
    """Return a short hash of the inputs that determine the chunks of a parse."""
    return fingerprint(
        {
            "version": CHUNKER_VERSION,
            "max_tokens": min(settings.max_tokens, tokenizer.max_tokens),
            "overlap_tokens": settings.overlap_tokens,
            "tokenizer": tokenizer.fingerprint,
        }
    )


class _Draft(NamedTuple):
    """A chunk before its tokens are counted.

    The text from `start` to `body` repeats the end of the previous chunk.
    """

    start: int
    body: int
    end: int
    section: HeadingPath
    above: HeadingPath


class _Chunker:
    """Makes the chunks of one document."""

    def __init__(
        self, document: ParsedDocument, settings: ChunkBudget, tokenizer: TokenCounter
    ) -> None:
        self._document = document
        self._text = document.text
        self._limit = min(settings.max_tokens, tokenizer.max_tokens)
        self._overlap = settings.overlap_tokens
        self._tokenizer = tokenizer
        self._tokens = TokenMap(document.text, tokenizer)
        paths = (element.heading_path for element in document.elements)
        self._headers = Headers(document.title, paths, self._limit, tokenizer)

    def make_chunks(self) -> list[Chunk]:
        counted = self._count_and_split(self._make_drafts())
        return [
            self._make_chunk(ordinal, draft, count)
            for ordinal, (draft, count) in enumerate(counted)
        ]

    def _make_drafts(self) -> list[_Draft]:
        pieces = PieceSplitter(self._document, self._tokens, self._room).list_pieces()
        starts = [self._chunk_start(pieces, index) for index in range(len(pieces))]
        return [
            self._make_draft(pieces[first:end], starts[first])
            for first, end in pack_pieces(pieces, starts, self._tokens)
        ]

    def _make_draft(self, pieces: Sequence[Piece], start: ChunkStart) -> _Draft:
        body, end = pieces[0].start, pieces[-1].end
        fits = self._tokens.size(start.start, end) <= start.room
        sections = {piece.section for piece in pieces}
        section = pieces[0].section[: shared_depth(sections)]
        return _Draft(start.start if fits else body, body, end, section, pieces[0].above)

    def _room(self, path: HeadingPath) -> int:
        return max(1, self._limit - self._headers.token_count(path))

    def _chunk_start(self, pieces: Sequence[Piece], index: int) -> ChunkStart:
        piece = pieces[index]
        return ChunkStart(self._overlap_start(pieces, index), self._room(piece.above))

    def _overlap_start(self, pieces: Sequence[Piece], index: int) -> int:
        """Return the start of a chunk that begins with the piece `index`, including its overlap.

        The overlap is the last sentences before the piece, in the same section.
        """
        section, start = pieces[index].section, pieces[index].start
        if self._overlap <= 0 or pieces[index].above != section:
            return start
        earliest = self._tokens.reach_back(start, self._overlap)
        while index > 0 and pieces[index - 1].section == section and start > earliest:
            index -= 1
            starts = sentence_starts(self._text, pieces[index].start, start)
            first = next((position for position in starts if position >= earliest), start)
            if first != pieces[index].start:
                return first
            start = first
        return start

    def _embedded_text(self, draft: _Draft) -> str:
        text = self._text[draft.start : draft.end]
        header = self._headers.header(draft.above, text)
        return f"{header}\n{text}" if header else text

    def _count_and_split(self, drafts: list[_Draft]) -> list[tuple[_Draft, int]]:
        """Return each draft with its exact token count. A draft that is too long is split."""
        counts = self._tokenizer.count_tokens([self._embedded_text(draft) for draft in drafts])
        counted: list[tuple[_Draft, int]] = []
        waiting = list(zip(drafts, counts, strict=True))[::-1]
        while waiting:
            draft, count = waiting.pop()
            if counted and draft.start <= counted[-1][0].body and draft.start < draft.body:
                # The overlap would repeat the whole previous chunk, so this chunk gets no overlap.
                parts = [_without_overlap(draft)]
            else:
                parts = self._split(draft) if count > self._limit else []
            if not parts:
                counted.append((draft, count))
                continue
            counts = self._tokenizer.count_tokens([self._embedded_text(part) for part in parts])
            waiting.extend(list(zip(parts, counts, strict=True))[::-1])
        return counted

    def _split(self, draft: _Draft) -> list[_Draft]:
        if draft.start < draft.body:
            return [_without_overlap(draft)]
        if draft.end - draft.start < 2:
            return []
        middle = last_break(self._text, draft.start, (draft.start + draft.end + 1) // 2)
        spans = [(draft.start, middle), (middle, draft.end)]
        stripped = [strip_span(self._text, start, end) for start, end in spans]
        return [draft._replace(start=a, body=a, end=b) for a, b in stripped if a < b]

    def _make_chunk(self, ordinal: int, draft: _Draft, count: int) -> Chunk:
        return Chunk(
            ordinal=ordinal,
            text=self._text[draft.start : draft.end],
            char_start=draft.start,
            char_end=draft.end,
            heading_path=draft.section,
            page=self._page(draft.start),
            embedded_text=self._embedded_text(draft),
            token_count=count,
        )

    def _page(self, position: int) -> int | None:
        elements = self._document.elements
        index = bisect_right(elements, position, key=lambda element: element.start) - 1
        return elements[index].page


def _without_overlap(draft: _Draft) -> _Draft:
    return draft._replace(start=draft.body)
