"""Finds where a text can be split: after a sentence, a row, a block, a word or a character.

This module works on characters only. `token_map` counts the tokens of a slice; `pieces` and
`packing` decide where a text is split.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# A punctuation mark ends a sentence if white space follows. In scripts without spaces, it always
# ends a sentence. Closing quotes and brackets belong to the sentence.
_SENTENCE_END = re.compile(
    r"""[.!?…؟۔।॥։።]+["'”’»)\]]*\s+|[。！？｡]+["'”’」』】）》〉]*\s*|\n\s*\n\s*"""
)
_PARAGRAPH_END = re.compile(
    r"""[.!?…:؟۔।॥։።。！？｡：]["'”’»)\]」』】）》〉]*[^\S\n]*\n\s*|\n\s*\n\s*"""
)
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[“\"'])([\w.]{1,9})\.$")
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_CLAUSE_END = ",;:，、；：،؛)]}—–|\t"
# A full stop after one of these abbreviations rarely ends a sentence.
_ABBREVIATIONS = frozenset(
    """
    a.m abb al approx apr art aug bd bzw ca capt cf ch co col corp d.h dec dept dr e.g ed eds env
    eq eqs est etc feb fig figs gen gov i.e inc jan jr jul jun lt ltd mar mr mrs ms no nos nov nr
    oct p.m pp prof rep resp rev sec sen sep sept sgt sr st u.k u.s usw vol vs z.b z.t
    """.split()  # noqa: SIM905 - a hundred lines of one word each would hide the list
)
_JOINERS = "\u200d\ufe0e\ufe0f"


def sentence_starts(text: str, start: int, end: int) -> list[int]:
    """Return the starts of sentences in `text[start:end]`, ascending, including `start`.

    A sentence ends at punctuation, if the script has punctuation, and at a blank line. A wrong
    start, such as one after an unknown abbreviation, does little harm, because no text is lost.
    """
    return [start, *_starts_after(_SENTENCE_END, text, start, end)]


def paragraph_starts(text: str, start: int, end: int) -> list[int]:
    """Return `start` and the starts of lines in `text[start:end]` that follow a complete sentence.

    In a text with one line for each paragraph, these are the paragraphs. In a text with lines of
    even width, these are the sentences that begin a line.
    """
    return [start, *_starts_after(_PARAGRAPH_END, text, start, end)]


def line_starts(text: str, start: int, end: int) -> list[int]:
    """Return the starts of lines in `text[start:end]`, ascending, including `start`."""
    starts = [start]
    position = text.find("\n", start, end)
    while 0 <= position < end - 1:
        starts.append(position + 1)
        position = text.find("\n", position + 1, end)
    return starts


def block_starts(text: str, start: int, end: int) -> list[int]:
    """Return the starts of blocks between blank lines in `text[start:end]`, including `start`.

    A block begins with its first line that is not blank, including the indent of that line.
    """
    starts = [start]
    gaps = (match.span() for match in _BLANK_LINES.finditer(text, start, end))
    starts.extend(text.rfind("\n", *gap) + 1 for gap in gaps if gap[1] < end)
    return starts


def last_break(text: str, start: int, end: int) -> int:
    """Return the best end of a slice that begins at `start` and can extend to `end`.

    The best end is after the last clause in the second half of the slice. If no clause ends in this
    half, the best end is the last space of the half. Without a space, the best end is between two
    characters; a character includes its accents. The result is greater than `start`. It is at most
    `end` if `end` is greater than `start`.
    """
    middle = (start + end) // 2
    for position in range(end, middle, -1):
        if text[position - 1].isspace() and text[position - 2] in _CLAUSE_END:
            return position
    for position in range(end, middle, -1):
        if text[position - 1].isspace() or text[position : position + 1].isspace():
            return position
    return _whole_character(text, start, end)


def strip_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without the white space at its ends. A blank span becomes empty."""
    stripped = text[start:end].lstrip()
    start = end - len(stripped)
    return start, start + len(stripped.rstrip())


def _starts_after(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[int]:
    for match in pattern.finditer(text, start, end):
        if match.end() < end and not _is_abbreviated(text, start, match):
            yield match.end()


def _is_abbreviated(text: str, start: int, match: re.Match[str]) -> bool:
    if not match.group().startswith(".") or match.group()[1:2] not in (" ", "\u00a0", "\n"):
        return False
    before = _WORD_BEFORE.search(text, max(start, match.start() - 11), match.start() + 1)
    if before is None:
        return False
    word = before.group(1)
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _whole_character(text: str, start: int, end: int) -> int:
    """Return the last position up to `end` that splits no accented character and no emoji."""
    for position in range(end, max(start, end - 16), -1):
        if not _is_inside_character(text, position):
            return position
    return max(end, start + 1)


def _is_inside_character(text: str, position: int) -> bool:
    if position >= len(text):
        return False
    following = text[position]
    return (
        following in _JOINERS
        or text[position - 1] == "\u200d"
        or unicodedata.category(following).startswith("M")
    )
