"""What is expected of `<source>/chunks`, by Great Expectations; no text leaves the database."""

from __future__ import annotations

from dagster import AssetChecksDefinition

from assets.expectations import Expected
from assets.suite_checks import build_suite_checks
from ragline.sources.settings import SourceSettings

CHUNKS = (
    Expected(
        "chunks_have_text",
        "No chunk is blank.",
        "ExpectColumnValuesToBeBetween",
        {"column": "text_chars", "min_value": 1},
        "critical",
    ),
    Expected(
        "chunks_fit_the_model",
        "No chunk has more tokens than the embedding model reads, which would cut it silently.",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": "most_tokens", "column_B": "token_count", "or_equal": True},
        "critical",
    ),
    Expected(
        "chunks_are_numbered_once",
        "No chunk of a document stands twice.",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": ["document_key", "ordinal"]},
        "critical",
    ),
    Expected(
        "no_chunk_is_missing",
        "Each document has as many chunks as it was cut into.",
        "UnexpectedRowsExpectation",
        {
            "unexpected_rows_query": (
                "select document_key from {batch} group by document_key, chunk_count "
                "having count(ordinal) <> chunk_count"
            )
        },
        "critical",
    ),
    Expected(
        "offsets_enclose_the_text",
        "A chunk's offsets are as far apart as its text is long.",
        "ExpectColumnPairValuesToBeEqual",
        {"column_A": "offset_chars", "column_B": "text_chars"},
        "critical",
    ),
    Expected(
        "chunk_text_is_free_of_mojibake",
        "At most one in a hundred chunks shows signs of a wrong encoding.",
        "ExpectColumnValuesToBeInSet",
        {"column": "mojibake", "value_set": ["no"], "mostly": 0.99},
    ),
    Expected(
        "chunks_are_rarely_repeated",
        "At least half of the chunks stand only once in the source.",
        "ExpectColumnValuesToBeUnique",
        {"column": "text_hash", "mostly": 0.5},
    ),
    Expected(
        "chunks_are_rarely_tiny",
        "At least nine in ten chunks have eight tokens or more.",
        "ExpectColumnValuesToBeBetween",
        {"column": "token_count", "min_value": 8, "mostly": 0.9},
    ),
)


def build_chunk_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """The expectations on a source's chunks as asset checks."""
    return build_suite_checks(settings, "chunks", CHUNKS)
