"""Each expectation on documents and chunks finds the fault that is planted for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from lifecycle_doubles import HashEmbedder, TreeRunContext, TreeSource, make_run_context, sync

from assets.chunk_checks import CHUNK_EXPECTATIONS
from assets.document_checks import DOCUMENT_EXPECTATIONS
from assets.expectations import Expectation, ExpectationResult, Suite, evaluate_suite
from ragline.lifecycle.expectation_rows import CheckedTable, fingerprint_rows, write_rows_query

pytestmark = pytest.mark.filterwarnings("ignore")
EXPECTATIONS: dict[CheckedTable, Sequence[Expectation]] = {
    "documents": DOCUMENT_EXPECTATIONS,
    "chunks": CHUNK_EXPECTATIONS,
}
# By expectation: a change of the database that breaks it.
FAULTS = {
    "document_ids_are_unique": (
        "alter table ragline.documents drop constraint documents_source_id_document_id_key;"
        "update ragline.documents set document_id = 'anna.md'"
    ),
    "read_documents_have_text": "update ragline.parses set text = ' '",
    "read_documents_have_a_hash": "update ragline.documents set parsed_content_hash = 'old'",
    "most_documents_are_readable": "update ragline.documents set state = 'failed'",
    "text_is_free_of_mojibake": "update ragline.parses set text = text || U&'\\FFFD'",
    "language_is_known": "update ragline.parses set file_type = 'txt', language = null",
    "contents_are_rarely_repeated": "update ragline.documents set content_hash = 'same'",
    "chunks_have_text": "update ragline.chunks set text = ''",
    "chunks_fit_the_model": "update ragline.chunks set token_count = 1000000",
    "chunks_are_numbered_once": (
        "alter table ragline.chunks drop constraint chunks_chunking_id_ordinal_key;"
        "update ragline.chunks set ordinal = 0"
    ),
    "no_chunk_is_missing": "delete from ragline.chunks where ordinal = 0",
    "offsets_enclose_the_text": "update ragline.chunks set char_end = char_end + 1",
    "chunk_text_is_free_of_mojibake": "update ragline.chunks set text = text || U&'\\FFFD'",
    "chunks_are_rarely_repeated": "update ragline.chunks set text_hash = sha256('same')",
    "chunks_are_rarely_tiny": "update ragline.chunks set token_count = 1",
}
# The fingerprint does not read these tables: Ragline adds rows and never changes them.
UNCHANGING = ("ragline.parses", "ragline.chunks")


@pytest.fixture
def run_context(database, tmp_path) -> TreeRunContext:
    tree = TreeSource()
    for name in ("anna", "bert", "cleo", "dora"):
        tree.write(f"{name}.md", " ".join(f"{name}{number}" for number in range(40)))
    run_context = make_run_context(database, tmp_path, tree, HashEmbedder())
    sync(run_context)
    return run_context


def evaluate(
    run_context: TreeRunContext, table: CheckedTable, expected: Sequence[Expectation]
) -> list[ExpectationResult]:
    suite = Suite(table, write_rows_query(table, "tree"), expected)
    home = run_context.configuration.home
    return evaluate_suite(suite, run_context.database, home / "data_docs")


def list_cases() -> list[tuple[CheckedTable, str]]:
    return [(table, each.name) for table in EXPECTATIONS for each in EXPECTATIONS[table]]


def test_each_expectation_has_a_fault() -> None:
    assert set(FAULTS) == {name for _, name in list_cases()}


@pytest.mark.parametrize("table", EXPECTATIONS)
def test_undisturbed_source_meets_each_expectation(run_context, table) -> None:
    results = evaluate(run_context, table, EXPECTATIONS[table])
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize(("table", "name"), list_cases())
def test_planted_fault_fails_its_expectation(run_context, table, name) -> None:
    before = fingerprint_rows(run_context.database, table, "tree")
    with run_context.database.begin() as connection:
        connection.exec_driver_sql(FAULTS[name])
    expected = [each for each in EXPECTATIONS[table] if each.name == name]
    (result,) = evaluate(run_context, table, expected)
    assert result.error is None
    assert not result.passed
    if not any(unchanging in FAULTS[name] for unchanging in UNCHANGING):
        assert fingerprint_rows(run_context.database, table, "tree") != before
