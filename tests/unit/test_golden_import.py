"""Imports into a golden set: formats, conflicts and errors. Nothing is half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragline.errors import GoldenSetError
from ragline.golden_set.import_files import read_import
from ragline.golden_set.merging import MergeReport, complete_judges, import_content
from ragline.golden_set.reading import read_content
from ragline.golden_set.writing import write_text

TABLE = (
    "query,document,relevance,source,answerable\n"
    "When does the ferry leave?,harbour.md,1,notes,\n"
    "When does the ferry leave?,lamp.md,0,notes,\n"
    '"Tea, or coffee?",,,,false\n'
)
JSON_TABLE = """\
{"query": "When does the ferry leave?", "document": "harbour.md", "relevance": 1, "source": "notes"}
{"query": "When does the ferry leave?", "document": "lamp.md", "relevance": 0, "source": "notes"}
{"query": "Tea, or coffee?", "answerable": false}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "golden"


def run_import(
    folder: Path,
    path: Path,
    queries: Path | None = None,
    *,
    should_replace: bool = False,
    is_dry_run: bool = False,
) -> MergeReport:
    imported = read_import(path, queries, "test")
    complete_judges(imported, source=None, judge={"judged_by": "Ada", "judged_at": "2026-11-29"})
    return import_content(folder, imported, should_replace=should_replace, is_dry_run=is_dry_run)


def write(folder: Path, name: str, text: str) -> Path:
    write_text(folder / name, text)
    return folder / name


def list_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_table_becomes_queries_and_judgements(folder, tmp_path):
    report = run_import(folder, write(tmp_path, "judged.csv", TABLE))
    assert (len(report.added_queries), len(report.added_judgements)) == (2, 2)
    content = read_content(folder)
    grades = [(one.source, one.document_id, one.grade) for one in content.judgements.values()]
    assert grades == [("notes", "harbour.md", 1), ("notes", "lamp.md", 0)]
    unanswerable = [one for one in content.queries.values() if not one.is_answerable]
    assert [one.text for one in unanswerable] == ["Tea, or coffee?"]
    assert unanswerable[0].fields["judged_by"] == "Ada"
    assert report.content_hash == content.content_hash


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("judged.csv", TABLE.replace("\n", "\r\n")),
        ("judged.csv", "\ufeff" + TABLE),
        ("judged.tsv", TABLE.replace(",", "\t").replace("Tea\t", "Tea,")),
        ("judged.csv", TABLE.replace(",", ";").replace("Tea;", "Tea,")),
        (
            "judged.jsonl",
            JSON_TABLE,
        ),
    ],
)
def test_formats_of_a_table_give_the_same_golden_set(folder, tmp_path, name, text):
    expected = run_import(tmp_path / "expected", write(tmp_path, "first.csv", TABLE))
    assert run_import(folder, write(tmp_path, name, text)).content_hash == expected.content_hash


def test_second_import_changes_nothing(folder, tmp_path):
    path = write(tmp_path, "judged.csv", TABLE)
    run_import(folder, path)
    before = list_files(folder)
    report = run_import(folder, path)
    assert (report.is_written, report.unchanged, report.added_judgements) == (False, 3, [])
    assert list_files(folder) == before


def test_exported_folder_is_imported_with_the_same_hash(folder, tmp_path):
    first = run_import(folder, write(tmp_path, "judged.csv", TABLE))
    second = run_import(tmp_path / "second", folder)
    assert second.content_hash == first.content_hash
    assert list_files(tmp_path / "second") == list_files(folder)


def test_trec_judgements_need_their_queries(folder, tmp_path):
    path = write(tmp_path, "qrels.txt", "51 0 harbour.md 2\n51\t0\tlamp.md\t0\n\n")
    with pytest.raises(GoldenSetError, match="name the file of the queries with --queries"):
        run_import(folder, path)
    queries = write(tmp_path, "topics.tsv", "51\tferry times\n")
    report = run_import(folder, path, queries)
    assert [one.grade for one in report.added_judgements] == [2, 0]


def test_conflict_is_named_and_nothing_is_written(folder, tmp_path):
    run_import(folder, write(tmp_path, "judged.csv", TABLE))
    before = list_files(folder)
    other = TABLE.replace("harbour.md,1", "harbour.md,2").replace("false", "true")
    other = other.replace('coffee?",', 'coffee?",cup.md').replace("cup.md,,", "cup.md,1,")
    path = write(tmp_path, "other.csv", other + "new,new.md,1,notes,\n")
    report = run_import(folder, path)
    assert sorted((one.kind, one.known, one.imported) for one in report.conflicts) == [
        ("answerable", False, True), ("grade", 1, 2),
    ]  # fmt: skip
    assert f"{path}:2" in " ".join(one.text for one in report.conflicts)
    assert (report.is_written, report.content_hash) == (False, None)
    assert list_files(folder) == before

    planned = run_import(folder, path, should_replace=True, is_dry_run=True)
    assert list_files(folder) == before
    report = run_import(folder, path, should_replace=True)
    assert (len(report.changed), report.conflicts) == (2, [])
    assert report.content_hash == planned.content_hash == read_content(folder).content_hash


def test_answered_query_never_becomes_unanswerable(folder, tmp_path):
    run_import(folder, write(tmp_path, "judged.csv", TABLE))
    table = "query,answerable\nwhen does the FERRY leave?,no\n"
    report = run_import(folder, write(tmp_path, "other.csv", table), should_replace=True)
    assert [(one.kind, one.is_replaceable) for one in report.conflicts] == [("answerable", False)]


def test_judgement_without_a_source_contradicts_one_with_a_source(folder, tmp_path):
    run_import(folder, write(tmp_path, "judged.csv", TABLE))
    table = "query,document,relevance\nWhen does the ferry leave?,harbour.md,1\n"
    report = run_import(folder, write(tmp_path, "other.csv", table), should_replace=True)
    assert [one.kind for one in report.conflicts] == ["source"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "question,document\nq,d\n", r"a.csv:2: has the unknown column 'question'"),
        ("a.csv", "document,relevance\nd,1\n", r"a.csv:2: has no column `query`"),
        ("a.csv", "query,document,relevance\nq,d\n", r"a.csv:2: has 2 cells; the header has 3"),
        ("a.csv", "query,document,relevance\nq,d,-1\n", r"a.csv:2: the relevance -1 is negative"),
        ("a.csv", "query,document,relevance\nq,d,high\n", r"a.csv:2: .*'high' is not a whole num"),
        ("a.csv", "query,document,relevance\nq,d,\n", r"a.csv:2: states no relevance"),
        ("a.csv", "query,document,relevance\nq,,1\n", r"a.csv:2: names no document"),
        ("a.csv", "query,document,relevance\n,d,1\n", r"a.csv:2: the query or its id is empty"),
        ("a.csv", f"query,answerable\n{'x' * 8_001},no\n", r"a.csv:2: the query has 8,001 char"),
        ("a.csv", "query,answerable\nq,maybe\n", r"a.csv:2: answerable is 'maybe'"),
        ("a.csv", "query,document,relevance\n", r"a.csv: has no row with a query"),
        ("a.csv", "id,query,answerable\n1,q,no\n1,p,no\n", r"a.csv:3: .*'1' is also in .*a.csv:2"),
        (
            "a.csv",
            "query,document,relevance,answerable\nq,d,1,no\n",
            r"a.csv:2: a document is relevant for .*, which is not answerable",
        ),
        ("a.jsonl", '{"query": ["q"]}\n', r"a.jsonl:1: query is not a text"),
        ("a.parquet", "", r"a.parquet: is not a folder in the BEIR layout"),
    ],
)
def test_broken_table_is_refused_with_its_line(folder, tmp_path, name, text, message):
    with pytest.raises(GoldenSetError, match=message):
        run_import(folder, write(tmp_path, name, text))
    assert not folder.exists()


@pytest.mark.parametrize(
    ("qrels", "topics", "message"),
    [
        ("1 0 d\n", "1\tq\n", r"qrels.txt:1: is not `query-id iteration document-id relevance`"),
        ("1 0 d -1\n", "1\tq\n", r"qrels.txt:1: the relevance -1 is negative"),
        ("1 0 d good\n", "1\tq\n", r"qrels.txt:1: the relevance 'good' is not a whole number"),
        ("2 0 d 1\n", "1\tq\n", r"qrels.txt:1: judges the query '2', which has no text"),
        ("1 0 d 1\n", "1 q\n", r"topics.tsv:1: is not `query-id TAB query`"),
        ("1 0 d 1\n", "1\tq\n1\tp\n", r"topics.tsv:2: the query id '1' occurs twice"),
    ],
)
def test_broken_trec_file_is_refused_with_its_line(folder, tmp_path, qrels, topics, message):
    path, queries = write(tmp_path, "qrels.txt", qrels), write(tmp_path, "topics.tsv", topics)
    with pytest.raises(GoldenSetError, match=message):
        run_import(folder, path, queries)


def test_folder_without_the_split_names_the_splits_that_it_has(folder, tmp_path):
    write(tmp_path, "beir/queries.jsonl", '{"_id": "1", "text": "q"}\n')
    write(tmp_path, "beir/qrels/dev.tsv", "1\td\t1\n")
    with pytest.raises(GoldenSetError, match=r"test.tsv: .*with --split: dev"):
        run_import(folder, tmp_path / "beir")
