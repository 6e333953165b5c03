"""Renders the text of a chunk, with highlights and a limited length.

The document's media type selects the renderer. HTML in the text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ragline.parsing.formats import MEDIA_TYPES
from ragline.search.messages import Highlight
from retrieval_api.page.highlight_markers import TextWriter, insert_markers, remove_markers
from retrieval_api.page.markdown_text import render_markdown
from retrieval_api.page.plain_text import render_plain_text
from retrieval_api.page.rendered_blocks import Block
from retrieval_api.page.restructured_text import render_restructured_text

# A hit first shows about this many characters. It shows more if the first highlight is later.
SHOWN_CHARS = 700
MAX_SHOWN_CHARS = 1_500
_LIKE_RESTRUCTURED = re.compile(
    r"``[^`]+``|^\.\. [\w|_\[]|:[a-z]+:`|\w`?_\b|^[=\-~^]{4,}(?: +=+)*\s*$|::\s*$", re.MULTILINE
)
_ADORNMENT = re.compile(r"[ \t]*([=\-~^\"'`#*+:.<>_])\1{2,}[ \t]*(?:\r?\n|$)")
_DECORATION = re.compile(r"[\s`*_#]+")


@dataclass(frozen=True, slots=True)
class RenderedText:
    """A rendered chunk: the part that is shown first, and the rest of a long chunk.

    `path` contains the headings above the chunk. If the text of the chunk begins with some of these
    headings, they are shown in `path` only, with their highlights. `rest` is empty if `first` is
    the whole text. `rest_chars` is the number of characters in `rest`.
    """

    path: tuple[Markup, ...]
    first: Markup
    rest: Markup
    rest_chars: int


def render_text(
    text: str,
    media_type: str | None,
    *,
    headings: Sequence[str] = (),
    title: str | None = None,
    highlights: Sequence[Highlight] = (),
    repeated_chars: int = 0,
    is_clamped: bool = False,
) -> RenderedText:
    """Render a chunk's text. Headings at its start are left out, because the path shows them.

    The first `repeated_chars` characters are also the end of the previous chunk, and they are
    marked as repeated. If `is_clamped` is true, a long text is divided into `first` and `rest`.
    """
    start, dropped = _find_text_start(text, (*headings, title or ""))
    path = tuple(
        _write_heading(heading, text, dropped.get(_plain(heading)), highlights)
        for heading in headings
    )
    inside = [
        Highlight(one.start - start, one.end - start) for one in highlights if one.start >= start
    ]
    repeated = max(repeated_chars - start, 0)
    marked = insert_markers(text[start:], inside, repeated)
    blocks = _render(marked, media_type, TextWriter(is_repeated=repeated > 0))
    count = _count_shown(blocks) if is_clamped else len(blocks)
    return RenderedText(
        path=path,
        first=_join(blocks[:count]),
        rest=_join(blocks[count:]),
        rest_chars=sum(block.chars for block in blocks[count:]),
    )


def _render(marked: str, media_type: str | None, writer: TextWriter) -> list[Block]:
    if media_type == MEDIA_TYPES["md"]:
        return render_markdown(marked, writer)
    is_restructured = media_type == MEDIA_TYPES["rst"] or (
        media_type == MEDIA_TYPES["txt"] and _LIKE_RESTRUCTURED.search(remove_markers(marked))
    )
    if is_restructured:
        return render_restructured_text(marked, writer)
    return render_plain_text(marked, writer)


def _find_text_start(text: str, headings: Sequence[str]) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return the position after the headings at the start of a chunk's text, and their spans.

    `headings` are the headings above the chunk, and its title. Only these are looked for. The spans
    are in a mapping from the plain heading to its start and end in the text. If the chunk contains
    only headings, the position is 0 and the mapping is empty, so that the page shows the whole
    text.
    """
    known = {_plain(heading) for heading in headings} - {""}
    position, found = 0, dict[str, tuple[int, int]]()
    while position < len(text):
        line_end = text.find("\n", position)
        if line_end < 0:
            break
        line = text[position:line_end].strip()
        above = _ADORNMENT.match(text, position)
        if above and found and not line.strip(above.group(1)):
            position = above.end()
        elif _plain(line) in known:
            found[_plain(line)] = (position, line_end)
            position = line_end + 1
        elif not line and found:
            position = line_end + 1
        else:
            break
    return (position, found) if text[position:].strip() else (0, {})


def _write_heading(
    heading: str, text: str, position: tuple[int, int] | None, highlights: Sequence[Highlight]
) -> Markup:
    writer = TextWriter()
    if position is None or text[slice(*position)].strip() != heading:
        return writer.write(heading)
    start, end = position
    inside = [
        Highlight(one.start - start, one.end - start)
        for one in highlights
        if start <= one.start and one.end <= end
    ]
    return writer.write(insert_markers(text[start:end], inside))


def _plain(heading: str) -> str:
    return _DECORATION.sub(" ", heading).strip().casefold()


def _count_shown(blocks: Sequence[Block]) -> int:
    """Return how many blocks the page shows before the visitor opens the rest.

    These blocks include the first highlight if it is near the start.
    """
    first_mark = next((n for n, block in enumerate(blocks) if block.is_highlighted), 0)
    shown = 0
    for number, block in enumerate(blocks):
        wanted = MAX_SHOWN_CHARS if number <= first_mark else SHOWN_CHARS
        if number and shown + block.chars > wanted:
            is_small = sum(rest.chars for rest in blocks[number:]) < SHOWN_CHARS / 3
            return len(blocks) if is_small else number
        shown += block.chars
    return len(blocks)


def _join(blocks: Sequence[Block]) -> Markup:
    return Markup("\n").join(block.html for block in blocks)
