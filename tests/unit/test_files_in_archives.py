"""ZIP archives as a source of files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ragline.errors import DocumentTooLargeError, SourceUnavailableError
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.source import FilesSource
from ragline.sources.protocol import FailedFetch, FetchedDocument


def write_archive(path: Path, **texts: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("empty")
        for name, text in texts.items():
            archive.writestr(name.replace("__", "/") + ".md", text)
    return path


def open_archive(uri: str, **settings: object) -> FilesSource:
    return FilesSource(FilesSettings(name="s", collection="c", kind="files", uri=uri, **settings))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "books.zip", a="alpha", deep__b="beta", deep__er__c="c")


def versions(source: FilesSource) -> dict[str, str]:
    return {listed.document_id: listed.version for listed in source.list_documents()}


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", ["a.md", "deep/b.md", "deep/er/c.md"]),
        ("*", ["a.md", "deep/b.md", "deep/er/c.md"]),
        ("deep", ["b.md", "er/c.md"]),
    ],
)
def test_members_are_listed_by_their_path(archive, inside, expected):
    source = open_archive(f"zip://{inside}::{archive}")
    assert sorted(versions(source)) == expected
    assert all(isinstance(one, FetchedDocument) for one in source.fetch_documents(expected))


def test_path_of_the_archive_is_relative_to_the_configuration(archive):
    settings = FilesSettings.model_validate(
        {"name": "s", "collection": "c", "kind": "files", "uri": "zip://::books.zip"},
        context={"folder": archive.parent},
    )
    assert settings.is_local
    assert settings.local_path is None
    assert len(versions(FilesSource(settings))) == 3


def test_rewritten_archive_is_read_again(archive):
    source = open_archive(f"zip://::{archive}")
    before, probe = versions(source), source.probe()
    assert source.probe() == probe
    write_archive(archive, a="gamma", deep__b="beta")
    after = versions(source)
    assert after.keys() == {"a.md", "deep/b.md"}
    assert after["a.md"] != before["a.md"]
    assert source.probe() != probe
    (fetched,) = source.fetch_documents(["a.md"])
    assert isinstance(fetched, FetchedDocument)
    assert fetched.content == b"gamma"


def test_member_over_the_limit_is_not_unpacked(tmp_path):
    archive = write_archive(tmp_path / "bomb.zip", a="0" * 10_000_000)
    (fetched,) = open_archive(f"zip://::{archive}", max_document_bytes=100).fetch_documents(
        ["a.md"]
    )
    assert isinstance(fetched, FailedFetch)
    assert isinstance(fetched.error, DocumentTooLargeError)


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 cut"])
def test_missing_or_broken_archive_is_unavailable(tmp_path, content):
    path = tmp_path / "broken.zip"
    if content is not None:
        path.write_bytes(content)
    source = open_archive(f"zip://::{path}")
    with pytest.raises(SourceUnavailableError):
        list(source.list_documents())
    with pytest.raises(SourceUnavailableError):
        source.probe()
    with pytest.raises(SourceUnavailableError):
        list(source.fetch_documents(["a.md"]))


def test_broken_member_only_fails_itself(archive):
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("a.md").header_offset + 30 + len("a.md")
    archive.write_bytes(content[:start] + b"\xff\xff" + content[start + 2 :])
    source = open_archive(f"zip://::{archive}")
    broken, whole = source.fetch_documents(["a.md", "deep/b.md"])
    assert isinstance(broken, FailedFetch)
    assert isinstance(whole, FetchedDocument)


def test_files_of_tools_in_an_archive_are_ignored(tmp_path):
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ["a.md", "__MACOSX/._a.md", "~$a.docx", "deep/Thumbs.db", "deep/b.md", "b.bak"]:
            archive.writestr(name, name)
    assert sorted(versions(open_archive(f"zip://::{path}"))) == ["a.md", "deep/b.md"]
