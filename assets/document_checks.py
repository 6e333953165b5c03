"""What is expected of `<source>/documents`, by Great Expectations; no text leaves the database."""

from __future__ import annotations

from dagster import AssetChecksDefinition

from assets.expectations import Expected
from assets.suite_checks import build_suite_checks
from ragline.sources.settings import SourceSettings

DOCUMENTS = (
    Expected(
        "document_ids_are_unique",
        "No document is listed twice.",
        "ExpectColumnValuesToBeUnique",
        {"column": "document_id"},
        "critical",
    ),
    Expected(
        "read_documents_have_text",
        "Every document that was read holds text.",
        "ExpectColumnValuesToBeBetween",
        {"column": "text_chars", "min_value": 1},
        "critical",
    ),
    Expected(
        "read_documents_have_a_hash",
        "The bytes behind every parse are known by their SHA-256.",
        "ExpectColumnValueLengthsToEqual",
        {"column": "parsed_content_hash", "value": 64},
        "critical",
    ),
    Expected(
        "most_documents_are_readable",
        "At least nine in ten listed documents were read.",
        "ExpectColumnValuesToNotBeInSet",
        {"column": "state", "value_set": ["failed", "quarantined", "unsupported"], "mostly": 0.9},
    ),
    Expected(
        "text_is_free_of_mojibake",
        "At most one in a hundred documents shows signs of a wrong encoding.",
        "ExpectColumnValuesToBeInSet",
        {"column": "mojibake", "value_set": ["no"], "mostly": 0.99},
    ),
    Expected(
        "language_is_known",
        "The language of at least half of the documents was recognised.",
        "ExpectColumnValuesToNotBeInSet",
        {"column": "language", "value_set": ["unknown"], "mostly": 0.5},
    ),
    Expected(
        "contents_are_rarely_repeated",
        "At least eight in ten documents are no copies of another one.",
        "ExpectColumnValuesToBeUnique",
        {"column": "content_hash", "mostly": 0.8},
    ),
)


def build_document_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """The expectations on a source's documents as asset checks."""
    return build_suite_checks(settings, "documents", DOCUMENTS)
