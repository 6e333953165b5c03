"""From a parsed document to its chunks: headers, pieces, packing, and the exact count.

The steps themselves live in the modules beside this one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ragline.chunking.boundaries import last_break, sentence_starts, strip_span
from ragline.chunking.headers import Headers, HeadingPath
from ragline.chunking.packing import Opening, pack_pieces
from ragline.chunking.pieces import Piece, PieceCutter, shared_depth
from ragline.chunking.token_map import TokenMap
from ragline.embedder.tokenizer import TokenCounter
from ragline.fingerprints import fingerprint
from ragline.parsing.parsed_document import ParsedDocument

# Raised whenever the same parse and settings may give other chunks than before.
CHUNKER_VERSION = 1


class ChunkBudget(Protocol):
    """A collection's settings for its chunks."""

    @property
    def max_tokens(self) -> int: ...

    @property
    def overlap_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document. `text` is `document.text[char_start:char_end]`.

    `embedded_text` is what the model reads: a line with the title and the headings above the
    chunk, where there are any, and then `text`. `token_count` counts it without special tokens.
    `heading_path` holds the headings that all of the chunk stands under; `page` is the page it
    begins on.
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
    """Cut a document into chunks, in reading order; the same input gives the same chunks.

    All that the model can read of the elements is in some chunk; text outside of them only
    where it lies between two elements of one chunk. No `embedded_text` has more tokens than
    `settings.max_tokens`, nor than the model reads. Consecutive chunks of one section share up
    to `settings.overlap_tokens` tokens, in whole sentences. No text, no chunks.
    """
    return _Chunker(document, settings, tokenizer).chunks()


def chunker_fingerprint(settings: ChunkBudget, tokenizer: TokenCounter) -> str:
    """A short name that changes when the chunks of the same parse may change."""
    return fingerprint(
        {
            "version": CHUNKER_VERSION,
            "max_tokens": min(settings.max_tokens, tokenizer.max_tokens),
            "overlap_tokens": settings.overlap_tokens,
            "tokenizer": tokenizer.fingerprint,
        }
    )


class _Draft(NamedTuple):
    """A chunk whose tokens are not counted yet. What lies before `body` repeats another's end."""

    start: int
    body: int
    end: int
    section: HeadingPath
    above: HeadingPath


class _Chunker:
    """One document on its way to chunks."""

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

    def chunks(self) -> list[Chunk]:
        counted = self._count_and_mend(self._drafts())
        return [
            self._finish(ordinal, draft, count) for ordinal, (draft, count) in enumerate(counted)
        ]

    def _drafts(self) -> list[_Draft]:
        pieces = PieceCutter(self._document, self._tokens, self._room).pieces()
        openings = [self._opening(pieces, index) for index in range(len(pieces))]
        return [
            self._draft(pieces[first:end], openings[first])
            for first, end in pack_pieces(pieces, openings, self._tokens)
        ]

    def _draft(self, pieces: Sequence[Piece], opening: Opening) -> _Draft:
        body, end = pieces[0].start, pieces[-1].end
        fits = self._tokens.size(opening.start, end) <= opening.room
        sections = {piece.section for piece in pieces}
        section = pieces[0].section[: shared_depth(sections)]
        return _Draft(opening.start if fits else body, body, end, section, pieces[0].above)

    def _room(self, path: HeadingPath) -> int:
        return max(1, self._limit - self._headers.token_count(path))

    def _opening(self, pieces: Sequence[Piece], index: int) -> Opening:
        piece = pieces[index]
        return Opening(self._overlap_start(pieces, index), self._room(piece.above))

    def _overlap_start(self, pieces: Sequence[Piece], index: int) -> int:
        """Where the last sentences before a piece begin that a chunk from there may repeat."""
        section, start = pieces[index].section, pieces[index].start
        if self._overlap <= 0 or pieces[index].above != section:
            return start
        earliest = self._tokens.reach_back(start, self._overlap)
        while index > 0 and pieces[index - 1].section == section and start > earliest:
            index -= 1
            starts = sentence_starts(self._text, pieces[index].start, start)
            kept = next((place for place in starts if place >= earliest), start)
            if kept != pieces[index].start:
                return kept
            start = kept
        return start

    def _embedded_text(self, draft: _Draft) -> str:
        text = self._text[draft.start : draft.end]
        header = self._headers.header(draft.above, text)
        return f"{header}\n{text}" if header else text

    def _count_and_mend(self, drafts: list[_Draft]) -> list[tuple[_Draft, int]]:
        """Each draft with its exact count; those too long are cut until they are not."""
        counts = self._tokenizer.count_tokens([self._embedded_text(draft) for draft in drafts])
        counted: list[tuple[_Draft, int]] = []
        waiting = list(zip(drafts, counts, strict=True))[::-1]
        while waiting:
            draft, count = waiting.pop()
            if counted and draft.start <= counted[-1][0].body and draft.start < draft.body:
                parts = [_without_overlap(draft)]  # it would repeat all of the chunk before
            else:
                parts = self._cut(draft) if count > self._limit else []
            if not parts:
                counted.append((draft, count))
                continue
            counts = self._tokenizer.count_tokens([self._embedded_text(part) for part in parts])
            waiting.extend(list(zip(parts, counts, strict=True))[::-1])
        return counted

    def _cut(self, draft: _Draft) -> list[_Draft]:
        if draft.start < draft.body:
            return [_without_overlap(draft)]
        if draft.end - draft.start < 2:
            return []
        middle = last_break(self._text, draft.start, (draft.start + draft.end + 1) // 2)
        spans = [(draft.start, middle), (middle, draft.end)]
        stripped = [strip_span(self._text, start, end) for start, end in spans]
        return [draft._replace(start=a, body=a, end=b) for a, b in stripped if a < b]

    def _finish(self, ordinal: int, draft: _Draft, count: int) -> Chunk:
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
