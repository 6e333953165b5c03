"""Adds marks to texts. A mark is a unique word that shows which version of a text is served.

Systems split, strip and join texts, but they do not change a word of letters and digits.
"""

from __future__ import annotations

import random
import re

MARK = re.compile(r"\bzq[0-9a-f]{12}\b")
# The blocks of a text, with the blank lines between them.
_BLANK_LINES = re.compile(r"(\n[^\S\n]*(?:\n[^\S\n]*)+)")
_SHORTEST_PASSAGE_CHARS = 60


class MarkMaker:
    """Makes marks. Equal seeds give the same marks in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def make(self) -> str:
        """Return a new mark: a random word that no text contains yet."""
        return f"zq{self._random.getrandbits(48):012x}"


def find_marks(text: str) -> frozenset[str]:
    """Return the marks in a text."""
    return frozenset(MARK.findall(text))


def mark_passages(text: str, maker: MarkMaker) -> str:
    """Add a marked sentence to the end of each passage, and a marked last line.

    A passage is a block of prose that ends with a full stop. Headings, tables and code do not
    change, so that a reader still recognises the format.
    """
    parts = _BLANK_LINES.split(text.strip("\n"))
    marked = [f"{part} {_sentence(maker)}" if _is_passage(part) else part for part in parts]
    return f"{''.join(marked)}\n\nHere the document ends. {_sentence(maker)}\n"


def list_passages(text: str) -> list[str]:
    """Return the blocks of a text that contain a mark, in order."""
    return [part for part in _BLANK_LINES.split(text) if MARK.search(part)]


def revise_passage(passage: str, maker: MarkMaker) -> str:
    """Return the passage with a new mark and some new words in place of each mark."""
    return MARK.sub(lambda _: f"{maker.make()}. This passage was revised", passage)


def _sentence(maker: MarkMaker) -> str:
    return f"Its mark is {maker.make()}."


def _is_passage(block: str) -> bool:
    start = block.lstrip()[:1]
    return len(block) >= _SHORTEST_PASSAGE_CHARS and start.isalnum() and block.endswith(".")
