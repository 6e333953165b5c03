"""The text of a document, put together again from the chunks that an index holds."""

from __future__ import annotations

from collections.abc import Sequence


def join_chunks(chunks: Sequence[tuple[int, int, str]]) -> str:
    """Chunks as one text; each is (start, end, text), and what two of them share comes once.

    What stood between two that do not touch is not indexed, mostly white space: a line end takes
    the place of one character, a blank line that of more.
    """
    parts: list[str] = []
    reached: int | None = None
    for start, end, text in chunks:
        if reached is not None and start > reached:
            parts.append("\n" if start == reached + 1 else "\n\n")
        parts.append(text if reached is None else text[max(reached - start, 0) :])
        reached = max(end, reached or 0)
    return "".join(parts)
