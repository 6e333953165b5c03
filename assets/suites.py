"""What is expected of documents and chunks, and the asset checks that look at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagster import AssetCheckResult, AssetChecksDefinition, ResourceParam, multi_asset_check

from assets.expectations import Expected, Suite, check_specs, run_suite
from assets.keys import group_of, source_key
from ragline.lifecycle.workshop import Workshop
from ragline.sources.settings import SourceSettings
from ragline.storage.statements import load_statement

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


def build_document_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """The expectations on a source's documents as asset checks."""
    return _build(settings, "documents", DOCUMENTS)


def build_chunk_checks(settings: SourceSettings) -> AssetChecksDefinition:
    """The expectations on a source's chunks as asset checks."""
    return _build(settings, "chunks", CHUNKS)


def _build(
    settings: SourceSettings, stage: str, expected: Sequence[Expected]
) -> AssetChecksDefinition:
    specs = check_specs(source_key(settings.name, stage), expected)

    @multi_asset_check(name=f"{group_of(settings.name)}_{stage}_expectations", specs=specs)
    def expectations(workshop: ResourceParam[Workshop]) -> Iterator[AssetCheckResult]:
        # The library takes a query as text that begins with SELECT, and escapes no value; a
        # source's name is letters, digits, - and _.
        statement = load_statement(f"checks/select_{stage}").text
        query = statement[statement.index("select\n") :].replace(":source", f"'{settings.name}'")
        suite = Suite(f"{settings.name} {stage}", query, expected)
        docs = workshop.configuration.home / "data_docs" / settings.name / stage
        yield from run_suite(suite, workshop.database.url, docs)

    return expectations
