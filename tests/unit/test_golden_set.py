"""The files of a golden set: what is read, refused and written, its hash and its splits."""

from __future__ import annotations

import csv
import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ragline.errors import FileNotWrittenError, GoldenSetError
from ragline.golden_set import line_files, read_golden_set
from ragline.golden_set.card import GoldenCard, read_card
from ragline.golden_set.content import GoldenContent, GoldenQuery, Judgement, make_golden_set
from ragline.golden_set.import_files import read_import
from ragline.golden_set.merging import import_content
from ragline.golden_set.proposal_answers import (
    JudgedDocument,
    add_judgements,
    read_rejections,
    reject_proposal,
)
from ragline.golden_set.reading import read_content
from ragline.golden_set.splits import SHARES, choose_split
from ragline.golden_set.writing import export_golden_set, write_content

QUERIES = '{"_id": "1", "text": "ferry"}\n{"_id": "2", "text": "tea", "answerable": false}\n'
QRELS = "query-id\tcorpus-id\tscore\n1\tharbour.md\t2\n"


def write_golden(folder: Path, queries: str | bytes = QUERIES, qrels: str | bytes = QRELS) -> Path:
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for path, text in ((folder / "queries.jsonl", queries), (folder / "qrels/test.tsv", qrels)):
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def read_refusal(folder: Path) -> str:
    with pytest.raises(GoldenSetError) as raised:
        read_golden_set(folder)
    return str(raised.value)


# No surrogates and no U+0000, which are refused.
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)
PASSAGES = TEXTS.map(lambda text: " ".join(text.split()) or None)


@st.composite
def make_contents(draw: st.DrawFn) -> GoldenContent:
    content = GoldenContent()
    for key in draw(st.lists(TEXTS, min_size=1, max_size=6, unique=True)):
        is_answerable = draw(st.booleans())
        content.queries[key] = GoldenQuery(key, draw(TEXTS), is_answerable, {"note": draw(TEXTS)})
        for document in draw(st.lists(TEXTS, max_size=4, unique=True)):
            for source in draw(st.sampled_from([[None], ["a"], ["a", "b"]])):
                grade = draw(st.integers(0, 3)) if is_answerable else 0
                one = Judgement(key, document, grade, source, draw(PASSAGES), draw(PASSAGES))
                content.judgements[one.key] = one
    return content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=make_contents())
def test_written_content_is_read_as_it_was(content, tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    write_content(folder, content)
    again = read_content(folder)
    assert again.queries == content.queries
    assert again.judgements == content.judgements
    assert again.content_hash == content.content_hash
    exported = export_golden_set(folder, folder / "exported")
    assert read_content(folder / "exported").content_hash == exported.content_hash


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=make_contents())
def test_exported_content_is_imported_with_the_same_hash(content, tmp_path_factory):
    names = [text for query in content.queries.values() for text in (query.id, query.text)]
    names += [one.document_id for one in content.judgements.values()]
    assume(all(name.strip() for name in names))
    folder = tmp_path_factory.mktemp("golden")
    write_content(folder / "first", content)
    export_golden_set(folder / "first", folder / "exported")
    imported = read_import(folder / "exported", None, "test")
    report = import_content(folder / "second", imported, should_replace=False, is_dry_run=False)
    assert report.conflicts == []
    assert read_content(folder / "second").content_hash == content.content_hash


@given(content=make_contents(), random=st.randoms(use_true_random=False))
def test_hash_and_splits_do_not_depend_on_the_order(content, random):
    shuffled = GoldenContent()
    keys, judged = list(content.queries), list(content.judgements)
    random.shuffle(keys)
    random.shuffle(judged)
    shuffled.queries = {key: content.queries[key] for key in keys}
    shuffled.judgements = {key: content.judgements[key] for key in judged}
    assert shuffled.content_hash == content.content_hash
    assert make_golden_set(shuffled).judgements == make_golden_set(content).judgements


def test_hash_does_not_depend_on_line_endings_a_byte_order_mark_or_the_judge(tmp_path):
    plain = write_golden(tmp_path / "plain")
    other = write_golden(
        tmp_path / "other",
        b"\xef\xbb\xbf" + QUERIES.replace("\n", "\r\n\r\n").encode(),
        b"\xef\xbb\xbf"
        b"query-id\tcorpus-id\tscore\tsource\tpassage\tjudged-by\r\n"
        b"1\tharbour.md\t2\t\t\tAda\r\n\r\n",
    )
    assert read_golden_set(plain).content_hash == read_golden_set(other).content_hash
    assert read_golden_set(plain).judgements == read_golden_set(other).judgements


@pytest.mark.parametrize(
    ("queries", "qrels"),
    [
        (QUERIES.replace("ferry", "boat"), QRELS),
        (QUERIES.replace(', "answerable": false', ""), QRELS),
        (QUERIES, QRELS.replace("\t2", "\t1")),
        (QUERIES, QRELS.replace("harbour", "quay")),
        (QUERIES, "query-id\tcorpus-id\tscore\tsource\n1\tharbour.md\t2\tnotes\n"),
    ],
)
def test_hash_depends_on_everything_that_scores_depend_on(tmp_path, queries, qrels):
    changed = write_golden(tmp_path / "changed", queries, qrels)
    plain = write_golden(tmp_path / "plain")
    assert read_golden_set(changed).content_hash != read_golden_set(plain).content_hash


def test_query_without_an_answer_is_in_no_measure(tmp_path):
    golden = read_golden_set(write_golden(tmp_path))
    assert golden.queries == {"1": "ferry"}
    assert golden.unanswerable == {"2": "tea"}
    assert golden.judgements == {"1": {"harbour.md": 2}}


def test_splits_have_the_documented_shares_and_never_move():
    assert [choose_split(key) for key in ("pep00", "pep01", "pep03", "q-1")] == [
        "holdout", "gate", "gate", "tune",
    ]  # fmt: skip
    chosen = [choose_split(f"q{number}") for number in range(10_000)]
    for name, share in SHARES.items():
        assert chosen.count(name) == pytest.approx(100 * share, abs=150)


def test_split_selects_its_queries_and_a_file_of_the_name_comes_first(tmp_path):
    keys = [f"q{number}" for number in range(40)]
    lines = "".join(json.dumps({"_id": key, "text": key}) + "\n" for key in keys)
    folder = write_golden(tmp_path, lines, "".join(f"{key}\td\t1\n" for key in keys))
    parts = [read_golden_set(folder, name) for name in SHARES]
    assert sorted(key for part in parts for key in part.queries) == sorted(keys)
    assert {part.content_hash for part in parts} == {read_golden_set(folder).content_hash}
    (folder / "qrels" / "tune.tsv").write_text("q1\tother\t1\n")
    assert read_golden_set(folder, "tune").judgements == {"q1": {"other": 1}}


def test_judgement_with_a_source_is_about_the_document_of_that_source(tmp_path):
    header = "query-id\tcorpus-id\tscore\tsource\n"
    one = read_golden_set(write_golden(tmp_path / "a", QUERIES, f"{header}1\tdoc\t1\tnotes\n"))
    assert one.judgements == {"1": {"doc": 1}}
    assert one.name_document("1", "notes", "doc") == "doc"
    assert one.name_document("1", "mail", "doc") != "doc"
    assert one.name_document("1", "mail", "other") == "other"
    rows = f"{header}1\tdoc\t1\tnotes\n1\tdoc\t0\tmail\n"
    two = read_golden_set(write_golden(tmp_path / "b", QUERIES, rows))
    grades = two.judgements["1"]
    assert grades[two.name_document("1", "notes", "doc")] == 1
    assert grades[two.name_document("1", "mail", "doc")] == 0


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        ("ferry\n", QRELS, r"queries.jsonl:1: is not JSON"),
        ('{"_id": "1"}\n', QRELS, r"queries.jsonl:1: is not a JSON object with `_id` and `text`"),
        ("[1]\n", QRELS, r"queries.jsonl:1: is not a JSON object"),
        (QUERIES.replace("false", '"no"'), QRELS, r"queries.jsonl:2: `answerable` is 'no'; write"),
        (b'{"_id": "1",\n "text": "caf\xe9"}', QRELS, r"queries.jsonl:2: the byte 0xe9 is not UTF"),
        (QUERIES.encode("utf-16"), QRELS, r"queries.jsonl:1: is in UTF-16; save the file in UTF-8"),
        ('{"_id": "1", "text": "a\\u0000"}', QRELS, r"queries.jsonl:1: contains U\+0000"),
        ('{"_id": "1", "text": "\\ud800"}', QRELS, r"queries.jsonl:1: .* a surrogate pair"),
        ('{"_id": ' * 5_000, QRELS, r"queries.jsonl:1: is not JSON"),
        (QUERIES, "1 harbour.md 2\n", r"test.tsv:1: is not `query-id TAB .*; separate the cells"),
        (QUERIES, f"{QRELS}1\tdoc\n", r"test.tsv:3: is not `query-id TAB"),
        (QUERIES, f"{QRELS}1\tdoc\tgood\n", r"test.tsv:3: is not `query-id TAB"),
        (QUERIES, f"{QRELS}1\tdoc\t1\tnotes\n", r"test.tsv:3: is not `query-id TAB"),
        (QUERIES, "query-id\tcorpus-id\tscore\twhy\n1\td\t1\t\n", r"test.tsv:1: .*column 'why'"),
        (QUERIES, f"{QRELS}1\t\"{'x' * 200_000}\t1\n", r"test.tsv:3: is not a row of cells"),
        (QUERIES, f"{QRELS}2\tdoc\t1\n", r"test.tsv:3: .*'doc' as relevant for '2', which has"),
        (
            QUERIES,
            "query-id\tcorpus-id\tscore\tsource\n1\td\t1\tnotes\n1\td\t1\n",
            r"test.tsv:3: judges 'd' for '1' with and without a source",
        ),
        (QUERIES, "", r"test.tsv: the file contains no judgement"),
    ],
)  # fmt: skip
def test_broken_file_is_refused_with_its_line_and_the_remedy(tmp_path, queries, qrels, message):
    with pytest.raises(GoldenSetError, match=message):
        read_golden_set(write_golden(tmp_path, queries, qrels))


def test_cell_without_a_closing_quotation_mark_is_refused_while_the_limit_of_csv_is_higher(
    tmp_path,
):
    # Reading records raises the limit of `csv` for the whole process.
    before = csv.field_size_limit(2**31 - 1)
    try:
        qrels = f'{QRELS}1\t"{"x" * 200_000}\t1\n'
        with pytest.raises(GoldenSetError, match=r"test.tsv:3: is not a row .*131,072 characters"):
            read_golden_set(write_golden(tmp_path, QUERIES, qrels))
    finally:
        csv.field_size_limit(before)


def test_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    folder = write_golden(tmp_path)
    monkeypatch.setattr(line_files, "MAX_FILE_BYTES", 10)
    assert "bytes; the maximum is 10; split the file" in read_refusal(folder)


def test_repeated_and_negative_lines_are_found_and_do_not_stop_an_evaluation(tmp_path):
    queries = QUERIES + '{"_id": "1", "text": "ferry"}\n{"_id": "4", "text": " Ferry"}\n'
    rows = f"{QRELS}1\tharbour.md\t2\n1\tharbour.md\t1\n1\tquay.md\t-1\n"
    folder = write_golden(tmp_path, queries, rows)
    found = [(one.kind, one.line) for one in read_content(folder).findings]
    assert found == [
        ("duplicate_query", 3), ("same_text", 4), ("duplicate_judgement", 3),
        ("conflicting_judgement", 4), ("negative_grade", 5),
    ]  # fmt: skip
    assert read_golden_set(folder).judgements == {"1": {"harbour.md": 1, "quay.md": -1}}
    with pytest.raises(GoldenSetError, match=r"queries.jsonl:3: .*Nothing was written"):
        add_judgements(folder, "sun", [JudgedDocument("garden.md", 1)], judged_by="Ada")
    assert (folder / "qrels/test.tsv").read_text() == rows


def test_added_judgement_keeps_the_other_lines_and_names_the_judge(tmp_path):
    queries = '{ "text": "ferry",  "_id": "1", "metadata": {"by": "mail"} }\n'
    folder = write_golden(tmp_path, queries)
    one = JudgedDocument("garden.md", 1, "notes", "Tomatoes  want\nsun")
    added = add_judgements(folder, "sun", [one], judged_by="Ada")
    assert added.is_new_query
    assert (folder / "queries.jsonl").read_text().startswith(queries)
    rows = (folder / "qrels/test.tsv").read_text().splitlines()
    assert rows[1] == "1\tharbour.md\t2"
    cells = rows[2].split("\t")
    assert cells[1:6] == ["garden.md", "1", "notes", "Tomatoes want sun", "Ada"]
    assert cells[6].startswith("20")
    assert add_judgements(folder, " SUN ", [one], judged_by="Eve").added == ()
    assert (folder / "qrels/test.tsv").read_text().splitlines() == rows


def test_other_grade_is_refused_unless_it_replaces_the_known_one(tmp_path):
    folder = write_golden(tmp_path)
    again = [JudgedDocument("harbour.md", 0, "notes")]
    with pytest.raises(GoldenSetError, match="already has the grade 2 for '1'; --replace"):
        add_judgements(folder, "ferry", again, judged_by="Ada")
    changed = add_judgements(folder, "ferry", again, judged_by="Ada", should_replace=True).changed
    assert [(one.grade, one.judged_by) for one in changed] == [(0, "Ada")]


@pytest.mark.parametrize(
    ("text", "documents", "message"),
    [
        ("tea", [JudgedDocument("d", 1)], "has `answerable: false`"),
        ("ferry", [], "is in the golden set as answerable"),
        ("new", [JudgedDocument("d", -1)], "the relevance -1 is negative"),
        (" ", [], "a query has 1 to 8,000 characters"),
        ("a\0", [], "contains U"),
    ],
)
def test_contradiction_is_refused_and_nothing_is_written(tmp_path, text, documents, message):
    folder = write_golden(tmp_path)
    with pytest.raises(GoldenSetError, match=message):
        add_judgements(folder, text, documents, judged_by="Ada")
    assert ((folder / "queries.jsonl").read_text(), (folder / "qrels/test.tsv").read_text()) == (
        QUERIES, QRELS,
    )  # fmt: skip


def test_refused_first_query_leaves_no_folder(tmp_path):
    with pytest.raises(GoldenSetError):
        add_judgements(tmp_path / "new", "q", [JudgedDocument("d", -1)], judged_by="Ada")
    assert not (tmp_path / "new").exists()


def test_rejection_is_stored_with_the_judge(tmp_path):
    assert read_rejections(tmp_path) == set()
    reject_proposal(tmp_path / "new", "sun?", judged_by="Ada")
    reject_proposal(tmp_path / "new", "rain?", judged_by="Eve")
    assert len(read_rejections(tmp_path / "new")) == 2
    first = json.loads((tmp_path / "new" / "rejected.jsonl").read_text().splitlines()[0])
    assert (first["text"], first["rejected_by"]) == ("sun?", "Ada")


def test_card_is_read_and_its_errors_name_the_field(tmp_path):
    assert read_card(tmp_path) is None
    card = tmp_path / "card.yaml"
    card.write_text("judged_by: Ada\njudged_at: 2026-11-29\nlicence: CC0\n")
    read = read_card(tmp_path)
    assert isinstance(read, GoldenCard)
    assert (read.judged_by, str(read.judged_at)) == (("Ada",), "2026-11-29")
    card.write_text("judges: Ada\n")
    with pytest.raises(GoldenSetError, match=r"card.yaml: unknown field 'judges'; allowed: judged"):
        read_card(tmp_path)
    card.write_text("notes: a\nlicence: [\n")
    with pytest.raises(GoldenSetError, match=r"card.yaml:\d+: is not YAML"):
        read_card(tmp_path)


def test_two_writers_lose_no_query(tmp_path):
    def add(name: str) -> None:
        for number in range(8):
            one = JudgedDocument(f"{name}-{number}", 1)
            add_judgements(tmp_path / "golden", f"{name} {number}", [one], judged_by=name)

    with ThreadPoolExecutor() as pool:
        list(pool.map(add, ("a", "b", "c")))
    content = read_content(tmp_path / "golden")
    assert (len(content.queries), len(content.judgements)) == (24, 24)


def test_full_disk_leaves_a_golden_set_that_can_be_read(tmp_path, monkeypatch):
    folder = write_golden(tmp_path)
    replace = Path.replace

    def fail_on_judgements(path: Path, target: Path) -> Path:
        if target.name == "test.tsv":
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_on_judgements)
    with pytest.raises(FileNotWrittenError, match=r"test\.tsv could not be written: No space left"):
        add_judgements(folder, "sun", [JudgedDocument("garden.md", 1)], judged_by="Ada")
    assert read_golden_set(folder).judgements == {"1": {"harbour.md": 2}}
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "queries.jsonl", "test.tsv",
    ]  # fmt: skip
