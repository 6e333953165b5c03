"""JSON lines as a source: fields, metadata, and what a broken line costs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ragline.errors import SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.records import RecordsSettings, RecordsSource


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
        ('{"text": "no id"}', "line 2 has no '_id'"),
        ('{"_id": "1", "text": "again"}', "line 2 repeats the id '1'"),
    ],
)
def test_broken_line_costs_one_document_named_by_its_number(tmp_path, line, said):
    path = write(
        tmp_path / "r.jsonl", '{"_id": "1", "text": "a"}', line, '{"_id": "3", "text": "c"}'
    )
    fetched = fetch_all(open_records(path))
    assert set(fetched) == {"1", "line:2", "3"}
    assert said in str(fetched["line:2"].error)
    assert fetched["1"].text == "a"


@pytest.mark.parametrize(
    "record", [{"_id": "1"}, {"_id": "1", "text": 5}, {"_id": "1", "text": "x", "title": 3}]
)
def test_record_of_the_wrong_shape_fails_under_its_own_id(tmp_path, record):
    fetched = fetch_all(open_records(write(tmp_path / "r.jsonl", json.dumps(record))))
    assert isinstance(fetched["1"], FailedFetch)


def test_compressed_file_is_read_and_a_truncated_one_is_incomplete(tmp_path):
    whole = gzip.compress(b'{"_id": "1", "text": "a"}\n' * 1 + b'{"_id": "2", "text": "b"}\n')
    (tmp_path / "r.jsonl.gz").write_bytes(whole)
    assert set(fetch_all(open_records(tmp_path / "r.jsonl.gz"))) == {"1", "2"}
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[:-12])
    with pytest.raises(SourceUnavailableError, match="cannot be read to its end"):
        list(open_records(tmp_path / "cut.jsonl.gz").list_documents())


def test_missing_file_is_no_empty_source(tmp_path):
    with pytest.raises(SourceUnavailableError):
        list(open_records(tmp_path / "none.jsonl").list_documents())


def test_text_that_postgres_cannot_hold_is_made_storable(tmp_path):
    path = write(
        tmp_path / "r.jsonl", '{"_id": "1", "text": "a\\u0000b \\ud800 c", "m": "\\u0000"}'
    )
    fetched = fetch_all(open_records(path))["1"]
    assert fetched.text == "a\ufffdb ? c"
    assert fetched.metadata == {"m": "\ufffd"}
