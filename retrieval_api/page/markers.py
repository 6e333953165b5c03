"""Marked places of a text that outlive its rendering.

A place is written into the text as characters that no document may hold (Unicode noncharacters);
a renderer takes them for letters. `TextWriter` escapes the rendered pieces and turns the marks
into elements. The caller says which places are marked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from ragline.search.messages import Highlight

MARK_START, MARK_END, REPEATED_END = "\ufdd0", "\ufdd1", "\ufdd2"
MARKERS = f"{MARK_START}{MARK_END}{REPEATED_END}"
_MARKER = re.compile(f"([{MARKERS}])")
_REPLACED = str.maketrans(dict.fromkeys(MARKERS, "\ufffd"))
_REMOVED = str.maketrans(dict.fromkeys(MARKERS))
# A number or letter that is a list's mark is markup, and not marked.
_LIST_NUMBER = re.compile(r"[ \t]*\(?(?:\d{1,3}|[A-Za-z#])[.)][ \t]")
_MARKUP_LINE = re.compile(r"[ \t>]*(?:```|~~~|\.\. )|[^\w]*$")


def insert_markers(text: str, highlights: Sequence[Highlight] = (), repeated_chars: int = 0) -> str:
    """The text with a sign at each end of a highlight, and where its repeated start ends.

    Highlights are in order of their start; one that overlaps the one before is left out.
    """
    clean = text.translate(_REPLACED)
    signs: dict[int, str] = {}
    reached = 0
    for highlight in highlights:
        if highlight.start < reached or _is_list_number(clean, highlight.start):
            continue
        signs[highlight.start] = signs.get(highlight.start, "") + MARK_START
        signs[highlight.end] = signs.get(highlight.end, "") + MARK_END
        reached = highlight.end
    if repeated_chars > 0:
        place = _find_text_end(clean, repeated_chars)
        signs[place] = signs.get(place, "") + REPEATED_END
    parts, position = [], 0
    for place in sorted(signs):
        parts += [clean[position:place], signs[place]]
        position = place
    return "".join([*parts, clean[position:]])


def _is_list_number(text: str, start: int) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    found = _LIST_NUMBER.match(text, line_start)
    return found is not None and start < found.end()


def _find_text_end(text: str, end: int) -> int:
    """The end of the last text before a place: a sign in a line of markup would hide the markup."""
    while end > 0:
        line_start = text.rfind("\n", 0, end) + 1
        line = text[line_start:end]
        if not _MARKUP_LINE.match(line):
            return line_start + len(line.rstrip())
        end = line_start - 1
    return 0


def remove_markers(text: str) -> str:
    """The text as it was before it was marked."""
    return text.translate(_REMOVED)


def has_highlight(text: str) -> bool:
    """Whether a highlight begins in a marked text."""
    return MARK_START in text


def skip_chars(text: str, length: int) -> str:
    """A marked text without its first characters, signs not counted; the signs stay."""
    kept, position = "", 0
    while length > 0 and position < len(text):
        if text[position] in MARKERS:
            kept += text[position]
        else:
            length -= 1
        position += 1
    return kept + text[position:]


class TextWriter:
    """Escapes the pieces of one marked text in their order; a mark may begin and end anywhere."""

    def __init__(self, *, is_repeated: bool = False) -> None:
        self._is_marked = False
        self._is_repeated = is_repeated

    def write(self, text: str) -> Markup:
        """A piece as HTML. Between two pieces a mark is closed and opened again."""
        written = Markup()
        for piece in _MARKER.split(text):
            if piece == MARK_START:
                self._is_marked = True
            elif piece == MARK_END:
                self._is_marked = False
            elif piece == REPEATED_END:
                self._is_repeated = False
            elif piece:
                written += self._wrap(piece)
        return written

    def skip(self, text: str) -> None:
        """Go past a piece that is not shown."""
        self.write(text)

    def _wrap(self, piece: str) -> Markup:
        shown = escape(piece)
        if self._is_marked and piece.strip():
            shown = Markup("<mark>{}</mark>").format(shown)
        if self._is_repeated and piece.strip():
            shown = Markup('<span class="repeated">{}</span>').format(shown)
        return shown
