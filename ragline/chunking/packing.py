"""Chooses which pieces share a chunk, by the splits with the lowest total cost.

Each split has the cost of its position, which `pieces` determines. Each chunk has a cost, too: the
square of the unused share of its room. So chunks are full, similar in length, and end at natural
boundaries. All splits are chosen together, so a changed paragraph changes only the chunks near it.
The other chunks need no new embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from ragline.chunking.pieces import Piece
from ragline.chunking.token_map import MAX_CHARS_PER_TOKEN, TokenMap


class ChunkStart(NamedTuple):
    """The start of a chunk that begins with a certain piece.

    `start` is the start of the chunk's text. It is before the piece if the chunk repeats the end of
    the previous chunk. `room` is the number of tokens for text, without the header.
    """

    start: int
    room: int


def pack_pieces(
    pieces: Sequence[Piece], chunk_starts: Sequence[ChunkStart], tokens: TokenMap
) -> list[tuple[int, int]]:
    """Return one range of pieces for each chunk: the index of the first piece, and the end index.

    Together the ranges cover all pieces in order. `chunk_starts` has one item for each piece. A
    chunk is larger than its room only if it is a single piece with an overlap.
    """
    bodies = [tokens.index(piece.start) for piece in pieces]
    starts = [tokens.index(one.start) for one in chunk_starts]
    ends = [tokens.index(piece.end) for piece in pieces]
    widest = max((one.room for one in chunk_starts), default=0)
    costs, chosen = [0.0], [0]
    for end, last in enumerate(pieces, start=1):
        best, best_start = inf, end - 1
        for start in range(end - 1, -1, -1):
            is_single = start == end - 1
            if ends[end - 1] - bodies[start] > widest and not is_single:
                break
            chunk_start = chunk_starts[start]
            chars = last.end - chunk_start.start
            size = max(ends[end - 1] - starts[start], chars // MAX_CHARS_PER_TOKEN)
            if size > chunk_start.room and not is_single:
                continue
            empty = max(0.0, 1 - size / chunk_start.room)
            cost = costs[start] + pieces[start].split_cost + empty * empty
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
