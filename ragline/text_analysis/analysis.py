"""Analyses the text of an entry or a query.

The result has two parts: the normalized text, and the added forms of its words. An added form is a
further spelling of a word, such as a part of an identifier; see `word_forms`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragline.text_analysis.characters import CLUSTER, normalize_cluster, normalize_text
from ragline.text_analysis.word_forms import list_forms, read_language

# Change this value when the output of the analysis changes. The next sync then builds a new
# generation.
VERSION = "1"
# The version of generations that an old release built, without an analysis. For them, Postgres
# receives the raw text.
RAW: str | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysed text. `main` is the normalized text; `added` contains the added forms.

    The added forms are separated by spaces.
    """

    main: str
    added: str


@dataclass(frozen=True, slots=True)
class TracedText:
    """Both parts of an analysed text in one text, with positions in the original text.

    The character `text[i]` comes from the span `starts[i]` to `ends[i]` of the original text.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def find_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text from which a span of the analysed text comes."""
        return self.starts[start], self.ends[end - 1]


def analyze_text(text: str, language: str, version: str | None = VERSION) -> Analysis:
    """Analyse a text with a version of the analysis. Returns both parts of the analysed text.

    `language` is the name of a text search configuration of Postgres.
    """
    if version == RAW:
        return Analysis(text.replace("\0", " "), "")
    main = normalize_text(text)
    return Analysis(main, " ".join(form.text for form in list_forms(main, read_language(language))))


def trace_text(text: str, language: str, version: str | None = VERSION) -> TracedText:
    """Analyse a text as `analyze_text` does, and find the original position of each character."""
    if version == RAW:
        positions = list(range(len(text)))
        ends = [position + 1 for position in positions]
        return TracedText(text.replace("\0", " "), positions, ends)
    parts: list[str] = []
    starts: list[int] = []
    ends = []
    reached = 0
    for match in [*CLUSTER.finditer(text), None]:
        until = len(text) if match is None else match.start()
        parts.append(text[reached:until])
        starts += range(reached, until)
        ends += range(reached + 1, until + 1)
        if match is not None:
            normalized = normalize_cluster(match.group())
            parts.append(normalized)
            starts += [match.start()] * len(normalized)
            ends += [match.end()] * len(normalized)
            reached = match.end()
    main = "".join(parts)
    for form in list_forms(main, read_language(language)):
        parts += [" ", form.text]
        starts += [starts[form.start]] * (len(form.text) + 1)
        ends += [ends[form.end - 1]] * (len(form.text) + 1)
    return TracedText("".join(parts), starts, ends)
