"""Puts markers into a text.

The markers keep the positions of highlights while the text is rendered.

A marker is a Unicode noncharacter, which no document contains. A renderer treats it as a letter.
`TextWriter` escapes the rendered parts and replaces markers by HTML elements.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from ragline.search.messages import Highlight

HIGHLIGHT_START, HIGHLIGHT_END, REPEATED_END = "\ufdd0", "\ufdd1", "\ufdd2"
MARKERS = f"{HIGHLIGHT_START}{HIGHLIGHT_END}{REPEATED_END}"
_MARKER = re.compile(f"([{MARKERS}])")
_REPLACED = str.maketrans(dict.fromkeys(MARKERS, "\ufffd"))
_REMOVED = str.maketrans(dict.fromkeys(MARKERS))
# The number or letter of a list item is markup. It is not highlighted.
_LIST_NUMBER = re.compile(r"[ \t]*\(?(?:\d{1,3}|[A-Za-z#])[.)][ \t]")
_MARKUP_LINE = re.compile(r"[ \t>]*(?:```|~~~|\.\. )|[^\w]*$")


def insert_markers(text: str, highlights: Sequence[Highlight] = (), repeated_chars: int = 0) -> str:
    """Put a marker at both ends of each highlight, and at the end of the repeated characters.

    The first `repeated_chars` characters are repeated from the previous chunk. `highlights` are in
    the order of their starts. A highlight that overlaps the previous one is left out.
    """
    clean = text.translate(_REPLACED)
    markers: dict[int, str] = {}
    reached = 0
    for highlight in highlights:
        if highlight.start < reached or _is_list_number(clean, highlight.start):
            continue
        markers[highlight.start] = markers.get(highlight.start, "") + HIGHLIGHT_START
        markers[highlight.end] = markers.get(highlight.end, "") + HIGHLIGHT_END
        reached = highlight.end
    if repeated_chars > 0:
        end = _find_text_end(clean, repeated_chars)
        markers[end] = markers.get(end, "") + REPEATED_END
    parts, position = [], 0
    for index in sorted(markers):
        parts += [clean[position:index], markers[index]]
        position = index
    return "".join([*parts, clean[position:]])


def _is_list_number(text: str, start: int) -> bool:
    line_start = text.rfind("\n", 0, start) + 1
    found = _LIST_NUMBER.match(text, line_start)
    return found is not None and start < found.end()


def _find_text_end(text: str, end: int) -> int:
    """Return the end of the last line that contains text, up to the position `end`.

    Lines with only markup are skipped, because a marker inside markup would break the markup.
    """
    while end > 0:
        line_start = text.rfind("\n", 0, end) + 1
        line = text[line_start:end]
        if not _MARKUP_LINE.match(line):
            return line_start + len(line.rstrip())
        end = line_start - 1
    return 0


def remove_markers(text: str) -> str:
    """Return the text without markers."""
    return text.translate(_REMOVED)


def has_highlight(text: str) -> bool:
    """Whether a highlight starts in a marked text."""
    return HIGHLIGHT_START in text


def skip_chars(text: str, length: int) -> str:
    """Remove the first `length` characters of a marked text. Markers do not count and are kept."""
    kept, position = "", 0
    while length > 0 and position < len(text):
        if text[position] in MARKERS:
            kept += text[position]
        else:
            length -= 1
        position += 1
    return kept + text[position:]


class TextWriter:
    """Escapes the parts of one marked text, in order. A highlight can span several parts."""

    def __init__(self, *, is_repeated: bool = False) -> None:
        self._is_highlighted = False
        self._is_repeated = is_repeated

    def write(self, text: str) -> Markup:
        """Return a part as HTML.

        A highlight is closed at the end of the part and opened again in the next part.
        """
        written = Markup()
        for piece in _MARKER.split(text):
            if piece == HIGHLIGHT_START:
                self._is_highlighted = True
            elif piece == HIGHLIGHT_END:
                self._is_highlighted = False
            elif piece == REPEATED_END:
                self._is_repeated = False
            elif piece:
                written += self._wrap(piece)
        return written

    def skip(self, text: str) -> None:
        """Read the markers of a part that is not shown."""
        self.write(text)

    def _wrap(self, piece: str) -> Markup:
        shown = escape(piece)
        if self._is_highlighted and piece.strip():
            shown = Markup("<mark>{}</mark>").format(shown)
        if self._is_repeated and piece.strip():
            shown = Markup('<span class="repeated">{}</span>').format(shown)
        return shown
