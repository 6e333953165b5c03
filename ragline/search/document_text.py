"""The text of a document, joined from the chunks of an index."""

from __future__ import annotations

from collections.abc import Sequence


def join_chunks(chunks: Sequence[tuple[int, int, str]]) -> str:
    """Chunks (start, end, text) as one text, without the text that two of them share.

    The text between two chunks that do not touch is not indexed; it is mostly white space. A line
    break replaces one character, a blank line replaces more.
    """
    parts: list[str] = []
    reached: int | None = None
    for start, end, text in chunks:
        if reached is not None and start > reached:
            parts.append("\n" if start == reached + 1 else "\n\n")
        parts.append(text if reached is None else text[max(reached - start, 0) :])
        reached = max(end, reached or 0)
    return "".join(parts)
