"""Highlights: the positions of a query's words in the texts of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import Highlight
from ragline.storage.statements import load_statement
from ragline.text_analysis import TracedText, analyze_text, trace_text

# The marks that `search/select_highlights` puts around a word.
OPENING_MARK, CLOSING_MARK = "\x02", "\x03"


def find_highlights(
    connection: Connection,
    generation: LiveGeneration,
    queries: Sequence[str],
    texts: Mapping[int, str],
) -> dict[int, tuple[Highlight, ...]]:
    """Return the highlights of stored texts.

    The keys of `texts` and of the result are ids of entries.

    The words are searched for in the analysed texts, because these have the same lexemes as the
    index.
    """
    language, version = generation.language, generation.analysis_version
    query = analyze_text(" ".join(queries), language, version)
    traced = {id_: trace_text(text, language, version) for id_, text in texts.items()}
    parameters = {
        "ids": list(traced),
        "texts": [one.text for one in traced.values()],
        "language": language,
        "query": query.main,
        "query_forms": query.added,
    }
    rows = connection.execute(load_statement("search/select_highlights"), parameters).mappings()
    return {row["id"]: _trace_marks(row["marked"], traced[row["id"]]) for row in rows}


def _trace_marks(marked: str, traced: TracedText) -> tuple[Highlight, ...]:
    """Return the highlights of an analysed text as spans of the original text.

    Overlapping spans are merged.
    """
    spans = sorted(traced.find_span(one.start, one.end) for one in _read_marks(marked))
    merged: list[Highlight] = []
    for start, end in spans:
        if merged and start < merged[-1].end:
            merged[-1] = Highlight(merged[-1].start, max(merged[-1].end, end))
        else:
            merged.append(Highlight(start, end))
    return tuple(merged)


def _read_marks(marked: str) -> tuple[Highlight, ...]:
    """Return the spans between the marks of a text. Positions do not count the marks.

    A mark without its counterpart is skipped.
    """
    found: list[Highlight] = []
    position, start = 0, None
    for character in marked:
        if character == OPENING_MARK:
            start = position
        elif character == CLOSING_MARK:
            if start is not None:
                found.append(Highlight(start, position))
            start = None
        else:
            position += 1
    return tuple(found)
