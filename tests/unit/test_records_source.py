"""Files of records as a source: fields, metadata, principals and malformed rows."""

from __future__ import annotations

import gzip
import json
import os
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ragline.errors import BrokenDocumentError, DocumentTooLargeError, SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.records.rows import guess_format
from ragline.sources.records.settings import RecordsSettings
from ragline.sources.records.source import RecordsSource


def open_records(path: Path, **settings: object) -> RecordsSource:
    return RecordsSource(
        RecordsSettings(name="s", collection="c", kind="records", uri=str(path), **settings)
    )


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def fetch_all(source: RecordsSource) -> dict[str, FetchedDocument | FailedFetch]:
    ids = [listed.document_id for listed in source.list_documents()]
    return {fetched.document_id: fetched for fetched in source.fetch_documents(ids)}


def test_every_other_key_becomes_metadata(tmp_path):
    record = {"_id": "1", "title": "T", "text": "body", "year": 1958, "tags": ["a"]}
    path = write(tmp_path / "r.jsonl", json.dumps(record))
    fetched = fetch_all(open_records(path))["1"]
    assert (fetched.title, fetched.text) == ("T", "body")
    assert fetched.metadata == {"year": 1958, "tags": ["a"]}
    assert fetched.content == json.dumps(record).encode()


def test_fields_may_have_other_names(tmp_path):
    path = write(tmp_path / "r.jsonl", '{"key": 7, "name": "N", "body": "b"}')
    fields = {"id": "key", "title": "name", "text": "body"}
    fetched = fetch_all(open_records(path, fields=fields))["7"]
    assert (fetched.title, fetched.text, fetched.metadata) == ("N", "b", {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "line 2 is not JSON"),
        ("[1, 2]", "line 2 is not a JSON object"),
        ('{"text": "no id"}', "line 2 has no valid id in the column '_id'"),
        ('{"_id": "1", "text": "again"}', "line 2 repeats the id '1'"),
    ],
)
def test_malformed_line_is_one_failed_document_named_by_its_number(tmp_path, line, said):
    path = write(
        tmp_path / "r.jsonl", '{"_id": "1", "text": "a"}', line, '{"_id": "3", "text": "c"}'
    )
    fetched = fetch_all(open_records(path))
    assert set(fetched) == {"1", "line:2", "3"}
    assert said in str(fetched["line:2"].error)
    assert fetched["1"].text == "a"


TWO = [{"_id": 1, "title": "A", "text": "petrels"}, {"_id": 2, "text": "shearwaters"}]
SHAPES = {
    "array": (json.dumps(TWO), "JSON array"),
    "pretty array": (json.dumps(TWO, indent=2), "JSON array"),
    "array of lines": ('[\n {"_id": 1, "text": "a"},\n {"_id": 2, "text": "b"}\n]\n', "JSON array"),
    "array behind a mark": ("\ufeff" + json.dumps(TWO, indent=1), "JSON array"),
    "long array": (json.dumps(TWO * 4000, indent=1), "JSON array"),
    "empty array": ("[]", "JSON array"),
    "pretty object": (json.dumps(TWO[0], indent=2), "span several lines"),
    "pretty objects": ("\n".join(json.dumps(one, indent=2) for one in TWO), "span several lines"),
    "wrapped list": (json.dumps({"count": 2, "items": TWO}), "'items' is a list of records"),
    "pretty wrapped list": (json.dumps({"items": TWO}, indent=2), "span several lines"),
    "long wrapped list": (json.dumps({"items": TWO * 4000}, indent=2), "span several lines"),
    "objects in a row": ("".join(map(json.dumps, TWO)), "several JSON objects on one line"),
    "objects with commas": (",\n".join(map(json.dumps, TWO * 2)) + ",", "JSON object"),
    "csv": ("_id,title,text\n1,A,petrels\n2,B,shearwaters\n", "set format: csv"),
    "html": ("<html>\n<body>\nnot found\n</body>\n</html>\n", "no line that is a JSON object"),
    "text": ("My reader\nthis is a letter\n", "no line that is a JSON object"),
    "pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n", "Git LFS"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_file_of_another_form_is_refused_with_one_message(tmp_path, shape):
    content, said = SHAPES[shape]
    for name in ("records.json", "records.jsonl"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(SourceUnavailableError, match=said) as caught:
            list(open_records(tmp_path / name).list_documents())
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_file_in_another_encoding_is_refused_with_one_message(tmp_path, encoding, name):
    content = '{"_id": 1, "text": "a"}\n' if name == "r.jsonl" else "_id,text\n1,a\n"
    (tmp_path / name).write_bytes(content.encode(encoding))
    with pytest.raises(SourceUnavailableError, match=r"UTF-16.*UTF-8"):
        list(open_records(tmp_path / name).list_documents())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1", "format: parquet"),
        (b"\x1f\x8b\x08", "let its name end in .gz"),
        (b"PK\x03\x04", "Office file"),
        (b"SQLite format 3\0", "kind sql"),
    ],
)
def test_binary_file_is_refused_and_says_what_it_is(tmp_path, content, said):
    (tmp_path / "r.jsonl").write_bytes(content + bytes(100))
    with pytest.raises(SourceUnavailableError, match=said):
        list(open_records(tmp_path / "r.jsonl").list_documents())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"_id": 1, "text": "a"}\n', "set format: jsonl"),
        ("_id;text\n1;a\n", "separated by semicolons; write commas"),
        ("_id\ttext\n1\ta\n", "separated by tabs; write commas"),
    ],
)
def test_other_files_given_as_csv_say_what_to_write(tmp_path, content, said):
    (tmp_path / "r.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SourceUnavailableError, match=said):
        list(open_records(tmp_path / "r.csv").list_documents())


@pytest.mark.parametrize("first", ["[1, 2]", "{broken", "plain", '{"_id": 0, "text": "z"}{}', ""])
def test_malformed_first_line_is_one_failed_document(tmp_path, first):
    lines = [first, *(json.dumps(one) for one in TWO)]
    found = fetch_all(open_records(write(tmp_path / "r.jsonl", *lines)))
    assert isinstance(found["1"], FetchedDocument)
    assert isinstance(found["2"], FetchedDocument)
    assert len(found) == (3 if first else 2)


def test_byte_order_mark_is_not_part_of_the_first_record(tmp_path):
    for name, content in {"r.jsonl": json.dumps(TWO[0]), "r.csv": "_id,text\n1,petrels\n"}.items():
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        (found,) = fetch_all(open_records(tmp_path / name)).values()
        assert isinstance(found, FetchedDocument)
        assert (found.document_id, found.text) == ("1", "petrels")


def test_record_longer_than_the_checked_start_is_read(tmp_path):
    long = {"_id": 1, "text": "petrel " * 30_000}
    path = write(tmp_path / "r.jsonl", *map(json.dumps, (long, TWO[1])))
    assert all(isinstance(one, FetchedDocument) for one in fetch_all(open_records(path)).values())


@pytest.mark.timeout(30)
def test_pipe_instead_of_a_file_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "r.jsonl")
    with pytest.raises(SourceUnavailableError, match="not a regular file"):
        list(open_records(tmp_path / "r.jsonl").list_documents())


@pytest.mark.parametrize(
    "record", [{"_id": "1"}, {"_id": "1", "text": 5}, {"_id": "1", "text": "x", "title": 3}]
)
def test_record_with_wrong_types_fails_with_its_id(tmp_path, record):
    fetched = fetch_all(open_records(write(tmp_path / "r.jsonl", json.dumps(record))))
    assert isinstance(fetched["1"], FailedFetch)


def test_compressed_file_is_read_and_a_truncated_one_is_incomplete(tmp_path):
    whole = gzip.compress(b'{"_id": "1", "text": "a"}\n' * 1 + b'{"_id": "2", "text": "b"}\n')
    (tmp_path / "r.jsonl.gz").write_bytes(whole)
    assert set(fetch_all(open_records(tmp_path / "r.jsonl.gz"))) == {"1", "2"}
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-12])
    with pytest.raises(SourceUnavailableError, match="cannot be read to its end"):
        list(open_records(tmp_path / "cut.jsonl.gz").list_documents())


def test_missing_file_is_unavailable(tmp_path):
    with pytest.raises(SourceUnavailableError):
        list(open_records(tmp_path / "none.jsonl").list_documents())


def test_text_that_postgres_cannot_store_is_cleaned(tmp_path):
    path = write(
        tmp_path / "r.jsonl", '{"_id": "1", "text": "a\\u0000b \\ud800 c", "m": "\\u0000"}'
    )
    fetched = fetch_all(open_records(path))["1"]
    assert fetched.text == "a\ufffdb ? c"
    assert fetched.metadata == {"m": "\ufffd"}


ACL = {"principals": "acl", "changed_at": "at"}
TIME = datetime(2024, 5, 1, 12, tzinfo=UTC)


def write_parquet(path: Path, rows: list[dict[str, object]], **options: object) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def versions(source: RecordsSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r.jsonl", "jsonl"),
        ("r.ndjson.gz", "jsonl"),
        ("r", "jsonl"),
        ("https://host/v1.2/r.CSV", "csv"),
        ("r.csv.gz", "csv"),
        ("s3://bucket/r.parquet", "parquet"),
    ],
)
def test_format_follows_from_the_suffix(name, expected):
    assert guess_format(name) == expected


def test_configured_format_has_precedence_over_the_suffix(tmp_path):
    path = write(tmp_path / "export.txt", "_id,text", "1,body")
    assert fetch_all(open_records(path, format="csv"))["1"].text == "body"


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_csv_has_a_header_and_cells_of_many_lines(tmp_path, suffix):
    content = '\ufeff_id,title,text,year\r\n1,T,"two\nlines, a ""quote""",1958\r\n\r\n2,,plain,\r\n'
    path = tmp_path / f"r.{suffix}"
    path.write_bytes(gzip.compress(content.encode()) if suffix.endswith("gz") else content.encode())
    fetched = fetch_all(open_records(path))
    assert (fetched["1"].title, fetched["1"].text) == ("T", 'two\nlines, a "quote"')
    assert fetched["1"].metadata == {"year": "1958"}
    assert (fetched["2"].title, fetched["2"].text) == (None, "plain")


@pytest.mark.parametrize(
    ("row", "document_id", "said"),
    [
        (b"2,too,many,cells", "2", "line 3 has 4 cells and the header has 2"),
        (b"2", "2", "line 3 has 1 cells"),
        (b",no id", "line:3", "line 3 has no valid id in the column '_id'"),
        (b"1,again", "line:3", "line 3 repeats the id '1'"),
        (b"2,caf\xe9", "2", "line 3 is not UTF-8"),
        (b'2,"quoted"more', "line:3", "line 3 is not CSV"),
    ],
)
def test_malformed_row_of_csv_is_one_failed_document(tmp_path, row, document_id, said):
    path = tmp_path / "r.csv"
    path.write_bytes(b"_id,text\n1,a\n" + row + b"\n3,c\n")
    fetched = fetch_all(open_records(path))
    assert set(fetched) == {"1", document_id, "3"}
    assert isinstance(fetched[document_id].error, BrokenDocumentError)
    assert said in str(fetched[document_id].error)
    assert fetched["3"].text == "c"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the header is missing"),
        ("_id,body\n1,a\n", "no column 'text'; the columns are: _id, body"),
        ("_id,text,text\n1,a,b\n", "two columns have the same name"),
        ('_id,text\n1,"never closed\n2,b\n', "line 3 is not CSV"),
        ('_id,text\n1,a\n2,"never closed', "line 3 is not CSV"),
        ('_id,text\n1,"open\n2,"b\n3,c\n', "line 3 is not CSV"),
    ],
)
def test_csv_with_unclear_rows_is_incomplete(tmp_path, content, said):
    path = tmp_path / "r.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceUnavailableError, match=said):
        list(open_records(path).list_documents())


def test_missing_column_of_principals_is_an_error(tmp_path):
    path = write(tmp_path / "r.csv", "_id,text", "1,a")
    with pytest.raises(SourceUnavailableError, match="no column 'acl'"):
        list(open_records(path, fields={"principals": "acl"}).list_documents())


def test_cell_longer_than_pythons_limit_is_read(tmp_path):
    path = write(tmp_path / "r.csv", "_id,text", "1," + "x" * 200_000)
    assert len(fetch_all(open_records(path))["1"].text) == 200_000


def test_parquet_gives_metadata_as_json(tmp_path):
    row = {
        "_id": 7,
        "title": "T",
        "text": "body",
        "day": date(2024, 5, 1),
        "at": TIME,
        "price": Decimal("1.50"),
        "tags": ["a", "b"],
        "nested": {"x": 1},
        "ratio": float("nan"),
        "none": None,
    }
    path = write_parquet(tmp_path / "r.parquet", [row])
    fetched = fetch_all(open_records(path))["7"]
    assert (fetched.title, fetched.text) == ("T", "body")
    assert fetched.metadata == {
        "day": "2024-05-01",
        "at": "2024-05-01T12:00:00+00:00",
        "price": 1.5,
        "tags": ["a", "b"],
        "nested": {"x": 1},
        "ratio": None,
        "none": None,
    }


def test_parquet_is_read_over_row_groups_and_batches(tmp_path):
    rows = [{"_id": f"d{n}", "text": f"text {n}"} for n in range(1000)]
    path = write_parquet(tmp_path / "r.parquet", rows, row_group_size=300)
    source = open_records(path)
    assert list(versions(source)) == [row["_id"] for row in rows]
    wanted = ["d0", "d299", "d300", "d999"]
    fetched = {one.document_id: one for one in source.fetch_documents([*wanted, "gone"])}
    assert [fetched[name].text for name in wanted] == ["text 0", "text 299", "text 300", "text 999"]
    assert isinstance(fetched["gone"], FailedFetch)


def test_malformed_row_of_parquet_is_one_failed_document(tmp_path):
    rows = [
        {"_id": "1", "text": "a", "blob": None},
        {"_id": None, "text": "b", "blob": None},
        {"_id": "1", "text": "c", "blob": None},
        {"_id": "4", "text": "d", "blob": b"\x00\xff"},
    ]
    fetched = fetch_all(open_records(write_parquet(tmp_path / "r.parquet", rows)))
    assert set(fetched) == {"1", "row:2", "row:3", "4"}
    assert fetched["1"].text == "a"
    assert "row 3 repeats the id '1'" in str(fetched["row:3"].error)
    assert "'blob' contains bytes" in str(fetched["4"].error)


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1 cut"])
def test_broken_parquet_file_is_unavailable(tmp_path, content):
    path = tmp_path / "r.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceUnavailableError, match="cannot be read to its end"):
        list(open_records(path).list_documents())


def test_missing_package_names_the_format(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "r.parquet", [{"_id": "1", "text": "a"}])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SourceUnavailableError, match="pyarrow"):
        list(open_records(path).list_documents())


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_change_of_any_column_changes_the_version(tmp_path, suffix):
    def write_rows(**changes: object) -> Path:
        row = {"_id": "1", "text": "a", "title": "t", "acl": "x", "year": "1", **changes}
        path = tmp_path / f"r.{suffix}"
        if suffix == "parquet":
            return write_parquet(path, [row])
        if suffix == "csv":
            return write(path, ",".join(row), ",".join(map(str, row.values())))
        return write(path, json.dumps(row))

    seen = {versions(open_records(write_rows()))["1"]}
    for change in ({"text": "b"}, {"title": "u"}, {"acl": "y"}, {"year": "2"}):
        seen.add(versions(open_records(write_rows(**change)))["1"])
    assert len(seen) == 5
    assert versions(open_records(write_rows()))["1"] in seen


def test_other_fields_change_versions_and_probe(tmp_path):
    path = write(tmp_path / "r.jsonl", '{"_id": "1", "text": "a", "body": "b"}')
    one, other = open_records(path), open_records(path, fields={"text": "body"})
    assert versions(one) != versions(other)
    assert one.probe() != other.probe()


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(["u1", "group:a"], ("u1", "group:a")), ([], ()), (None, None)],
)
def test_principals_are_a_list_or_null(tmp_path, stated, expected):
    record = {"_id": "1", "text": "a", "acl": stated, "at": "2024-05-01T12:00:00Z"}
    path = write(tmp_path / "r.jsonl", json.dumps(record))
    fetched = fetch_all(open_records(path, fields=ACL))["1"]
    assert fetched.principals == expected
    assert fetched.metadata == {}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("u1;group:a", ("u1", "group:a")), (" u1 ; ", ("u1",)), (";", ()), ("", None)],
)
def test_principals_in_csv_are_separated_by_semicolons(tmp_path, cell, expected):
    path = write(tmp_path / "r.csv", "_id,text,acl", f"1,a,{cell}")
    fetched = fetch_all(open_records(path, fields={"principals": "acl"}))["1"]
    assert fetched.principals == expected


@pytest.mark.parametrize(
    "record", [{"acl": "u1"}, {"acl": 5}, {"acl": ["u1", None]}, {"acl": [""]}, {"acl": {}}, {}]
)
def test_record_with_malformed_principals_fails(tmp_path, record):
    path = write(tmp_path / "r.jsonl", json.dumps({"_id": "1", "text": "a", **record}))
    fetched = fetch_all(open_records(path, fields={"principals": "acl"}))["1"]
    assert isinstance(fetched, FailedFetch)
    assert isinstance(fetched.error, BrokenDocumentError)
    assert "principals" in str(fetched.error)


def test_principals_in_parquet_are_a_list(tmp_path):
    rows = [{"_id": "1", "text": "a", "acl": ["u1"]}, {"_id": "2", "text": "b", "acl": None}]
    path = write_parquet(tmp_path / "r.parquet", rows)
    fetched = fetch_all(open_records(path, fields={"principals": "acl"}))
    assert fetched["1"].principals == ("u1",)
    assert fetched["2"].principals is None


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("2024-05-01T12:00:00Z", TIME), (TIME.timestamp(), TIME), ("soon", None), (None, None)],
)
def test_time_of_change_comes_from_the_record(tmp_path, stated, expected):
    path = write(tmp_path / "r.jsonl", json.dumps({"_id": "1", "text": "a", "at": stated}))
    (listed,) = open_records(path, fields={"changed_at": "at"}).list_documents()
    assert listed.changed_at == expected


def test_record_over_the_limit_is_refused(tmp_path):
    path = write(tmp_path / "r.csv", "_id,text", "1," + "x" * 200, "2,b")
    fetched = fetch_all(open_records(path, max_document_bytes=100))
    assert isinstance(fetched["1"].error, DocumentTooLargeError)
    assert fetched["2"].text == "b"


def test_probe_changes_with_the_file(tmp_path):
    path = write(tmp_path / "r.csv", "_id,text", "1,a")
    before = open_records(path).probe()
    assert open_records(path).probe() == before
    write(path, "_id,text", "1,bb")
    assert open_records(path).probe() != before


def test_records_are_read_from_any_storage():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/lake/r.csv", b"_id,text\n1,a\n")
    source = RecordsSource(
        RecordsSettings(name="s", collection="c", kind="records", uri="memory://lake/r.csv")
    )
    before, probe = versions(source), source.probe()
    memory.pipe_file("/lake/r.csv", b"_id,text\n1,b\n")
    assert versions(source) != before
    assert source.probe() != probe
