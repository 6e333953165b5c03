"""Analyses text for the keyword leg. Entries, queries and highlights use the same analysis.

An analysed text has two parts. The main part is the normalized text. Its characters are composed.
It has one kind of quote and one kind of hyphen. It has neither soft hyphens nor invisible
characters. The added part contains other forms of the words: parts of identifiers, identifiers
without separators, and words without accents. Postgres makes lexemes of both parts
(`ragline.make_lexemes` in sql/migrations). A lexeme of the main part is not counted again in the
added part. The text that is stored and shown is not changed.

A generation records the version of the analysis that built it. Queries of that generation are
analysed by the same version.
"""

from __future__ import annotations

from ragline.text_analysis.analysis import (
    RAW,
    VERSION,
    Analysis,
    TracedText,
    analyze_text,
    trace_text,
)
from ragline.text_analysis.query_forms import (
    WordForms,
    is_written_in,
    list_whole_forms,
    list_word_forms,
)

__all__ = [
    "RAW",
    "VERSION",
    "Analysis",
    "TracedText",
    "WordForms",
    "analyze_text",
    "is_written_in",
    "list_whole_forms",
    "list_word_forms",
    "trace_text",
]
