"""Marks: unique words in every passage of a text, by which stale and lost text is recognised.

A system may split, strip and join text; a word of letters and digits stays intact.
"""

from __future__ import annotations

import random
import re

MARK = re.compile(r"\bzq[0-9a-f]{12}\b")
# The blocks of a text, with the blank lines between them.
_BLANK_LINES = re.compile(r"(\n[^\S\n]*(?:\n[^\S\n]*)+)")
_SHORTEST_PASSAGE_CHARS = 60


class MarkMaker:
    """Makes marks, the same ones in the same order for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def make(self) -> str:
        """A word that no text contains and that was not generated before."""
        return f"zq{self._random.getrandbits(48):012x}"


def find_marks(text: str) -> frozenset[str]:
    """The marks in a text."""
    return frozenset(MARK.findall(text))


def mark_passages(text: str, maker: MarkMaker) -> str:
    """The text with a marked sentence at the end of each passage, and as its last line.

    A passage is a block of prose that ends with a full stop. Headings, tables and code stay as
    they are, so that a reader recognises the format.
    """
    parts = _BLANK_LINES.split(text.strip("\n"))
    marked = [f"{part} {_sentence(maker)}" if _is_passage(part) else part for part in parts]
    return f"{''.join(marked)}\n\nHere the document ends. {_sentence(maker)}\n"


def list_passages(text: str) -> list[str]:
    """The blocks of a text that contain a mark, in order."""
    return [part for part in _BLANK_LINES.split(text) if MARK.search(part)]


def revise_passage(passage: str, maker: MarkMaker) -> str:
    """A passage with other words and another mark."""
    return MARK.sub(lambda _: f"{maker.make()}. This passage was revised", passage)


def _sentence(maker: MarkMaker) -> str:
    return f"Its mark is {maker.make()}."


def _is_passage(block: str) -> bool:
    start = block.lstrip()[:1]
    return len(block) >= _SHORTEST_PASSAGE_CHARS and start.isalnum() and block.endswith(".")
