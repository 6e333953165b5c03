"""What every kind of source promises, run over the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragline.errors import SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source
from ragline.sources.registry import KINDS, open_source


def make_files(folder: Path) -> str:
    (folder / "tree").mkdir()
    (folder / "tree" / "a.txt").write_text("alpha", encoding="utf-8")
    (folder / "tree" / "b.txt").write_text("beta", encoding="utf-8")
    return str(folder / "tree")


def make_records(folder: Path) -> str:
    path = folder / "r.jsonl"
    path.write_text('{"_id": "a", "text": "alpha"}\n{"_id": "b", "text": "beta"}\n', "utf-8")
    return str(path)


MAKERS = {"files": make_files, "records": make_records}


def open_kind(kind: str, uri: str) -> Source:
    settings = KINDS[kind].settings(name="s", collection="c", kind=kind, uri=uri)
    return open_source(settings)


def test_every_kind_has_a_contract_test():
    assert MAKERS.keys() == KINDS.keys()


@pytest.fixture(params=sorted(KINDS))
def source(request, tmp_path) -> Source:
    return open_kind(request.param, MAKERS[request.param](tmp_path))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_source_that_is_away_raises_instead_of_listing_nothing(kind, tmp_path):
    away = open_kind(kind, str(tmp_path / "away"))
    with pytest.raises(SourceUnavailableError):
        list(away.list_documents())
    with pytest.raises(SourceUnavailableError):
        away.probe()


def test_listing_is_repeatable_and_names_each_document_once(source):
    first = list(source.list_documents())
    assert first == list(source.list_documents())
    assert len({listed.document_id for listed in first}) == len(first) == 2


def test_each_wanted_document_is_answered_exactly_once(source):
    ids = [listed.document_id for listed in source.list_documents()]
    answers = list(source.fetch_documents([*ids, "never-listed"]))
    assert sorted(answer.document_id for answer in answers) == sorted([*ids, "never-listed"])
    failed = [answer for answer in answers if isinstance(answer, FailedFetch)]
    assert [answer.document_id for answer in failed] == ["never-listed"]
    assert all(isinstance(a, FetchedDocument) for a in answers if a not in failed)


def test_probe_stays_while_nothing_changes(source):
    assert source.probe() == source.probe()
