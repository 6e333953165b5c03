"""Which pieces share a chunk: the cheapest set of cuts, found exactly.

A cut costs what its place costs (`pieces`), a chunk costs what it leaves empty, squared: so
chunks are full, even in length, and end where the text does. Choosing all cuts together keeps
a changed paragraph's effect near it, and unchanged chunks need no new embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from ragline.chunking.pieces import Piece
from ragline.chunking.token_map import CHARS_PER_TOKEN, TokenMap


class Opening(NamedTuple):
    """What a chunk that begins with some piece looks like: its header and overlap are known.

    `start` is where its text begins: before the piece where it repeats the end of the chunk
    before. `room` is what the header leaves for text.
    """

    start: int
    room: int


def pack_pieces(
    pieces: Sequence[Piece], openings: Sequence[Opening], tokens: TokenMap
) -> list[tuple[int, int]]:
    """Ranges of pieces, one for each chunk, that cover all pieces in order.

    A chunk is larger than its room only where it is a single piece with an overlap.
    """
    bodies = [tokens.index(piece.start) for piece in pieces]
    starts = [tokens.index(opening.start) for opening in openings]
    ends = [tokens.index(piece.end) for piece in pieces]
    widest = max((opening.room for opening in openings), default=0)
    costs, chosen = [0.0], [0]
    for end, last in enumerate(pieces, start=1):
        best, best_start = inf, end - 1
        for start in range(end - 1, -1, -1):
            is_single = start == end - 1
            if ends[end - 1] - bodies[start] > widest and not is_single:
                break
            opening = openings[start]
            chars = last.end - opening.start
            size = max(ends[end - 1] - starts[start], chars // CHARS_PER_TOKEN)
            if size > opening.room and not is_single:
                continue
            empty = max(0.0, 1 - size / opening.room)
            cost = costs[start] + pieces[start].cut + empty * empty
            if cost < best:
                best, best_start = cost, start
        costs.append(best)
        chosen.append(best_start)
    return _trace_back(chosen)


def _trace_back(chosen: Sequence[int]) -> list[tuple[int, int]]:
    ranges = []
    end = len(chosen) - 1
    while end > 0:
        ranges.append((chosen[end], end))
        end = chosen[end]
    return ranges[::-1]
