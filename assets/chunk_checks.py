"""The expectations on `<source>_chunks`.

The query of these expectations returns lengths, counts and hashes, so that Great Expectations reads
no text of a chunk.
"""

from __future__ import annotations

from dagster import AssetChecksDefinition

from assets.expectations import Expectation
from assets.suite_checks import build_suite_checks
from ragline.sources.settings import SourceSettings

CHUNK_EXPECTATIONS = (
    Expectation(
        "chunks_have_text",
        "No chunk is blank.",
        "ExpectColumnValuesToBeBetween",
        {"column": "text_chars", "min_value": 1},
        "critical",
    ),
    Expectation(
        "chunks_fit_the_model",
        "No chunk has more tokens than the embedding model reads. It would ignore the rest.",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": "most_tokens", "column_B": "token_count", "or_equal": True},
        "critical",
    ),
    Expectation(
        "chunks_are_numbered_once",
        "Each chunk number occurs once in a document.",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": ["document_key", "ordinal"]},
        "critical",
    ),
    Expectation(
        "no_chunk_is_missing",
        "Each document has all the chunks that the chunker made of it.",
        "UnexpectedRowsExpectation",
        {
            "unexpected_rows_query": (
                "select document_key from {batch} group by document_key, chunk_count "
                "having count(ordinal) <> chunk_count"
            )
        },
        "critical",
    ),
    Expectation(
        "offsets_enclose_the_text",
        "The length of each chunk's text equals the difference of its offsets.",
        "ExpectColumnPairValuesToBeEqual",
        {"column_A": "offset_chars", "column_B": "text_chars"},
        "critical",
    ),
    Expectation(
        "chunk_text_is_free_of_mojibake",
        "At most 1% of the chunks show signs of a wrong text encoding.",
        "ExpectColumnValuesToBeInSet",
        {"column": "mojibake", "value_set": ["no"], "mostly": 0.99},
    ),
    Expectation(
        "chunks_are_rarely_repeated",
        "At least 50% of the chunks have a text that occurs once in the source.",
        "ExpectColumnValuesToBeUnique",
        {"column": "text_hash", "mostly": 0.5},
    ),
    Expectation(
        "chunks_are_rarely_tiny",
        "At least 90% of the chunks have eight tokens or more.",
        "ExpectColumnValuesToBeBetween",
        {"column": "token_count", "min_value": 8, "mostly": 0.9},
    ),
)


def build_chunk_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """Build the asset checks of `<source>_chunks`, one for each expectation."""
    return build_suite_checks(settings, "chunks", CHUNK_EXPECTATIONS)
