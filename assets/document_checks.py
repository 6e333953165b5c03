"""The expectations on `<source>_documents`.

The query of these expectations returns lengths, states and hashes, so that Great Expectations reads
no text of a document.
"""

from __future__ import annotations

from dagster import AssetChecksDefinition

from assets.expectations import Expectation
from assets.suite_checks import build_suite_checks
from ragline.sources.settings import SourceSettings

DOCUMENT_EXPECTATIONS = (
    Expectation(
        "document_ids_are_unique",
        "Each document id occurs once.",
        "ExpectColumnValuesToBeUnique",
        {"column": "document_id"},
        "critical",
    ),
    Expectation(
        "read_documents_have_text",
        "Every parsed document has text.",
        "ExpectColumnValuesToBeBetween",
        {"column": "text_chars", "min_value": 1},
        "critical",
    ),
    Expectation(
        "read_documents_have_a_hash",
        "Every parsed document has the SHA-256 of its bytes.",
        "ExpectColumnValueLengthsToEqual",
        {"column": "parsed_content_hash", "value": 64},
        "critical",
    ),
    Expectation(
        "most_documents_are_readable",
        "At most 10% of the documents are failed, quarantined or unsupported.",
        "ExpectColumnValuesToNotBeInSet",
        {"column": "state", "value_set": ["failed", "quarantined", "unsupported"], "mostly": 0.9},
    ),
    Expectation(
        "text_is_free_of_mojibake",
        "At most 1% of the documents show signs of a wrong text encoding.",
        "ExpectColumnValuesToBeInSet",
        {"column": "mojibake", "value_set": ["no"], "mostly": 0.99},
    ),
    Expectation(
        "language_is_known",
        "The language is known for at least 50% of the documents.",
        "ExpectColumnValuesToNotBeInSet",
        {"column": "language", "value_set": ["unknown"], "mostly": 0.5},
    ),
    Expectation(
        "contents_are_rarely_repeated",
        "At least 80% of the documents have a content that no other document has.",
        "ExpectColumnValuesToBeUnique",
        {"column": "content_hash", "mostly": 0.8},
    ),
)


def build_document_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """Build the asset checks of `<source>_documents`, one for each expectation."""
    return build_suite_checks(settings, "documents", DOCUMENT_EXPECTATIONS)
