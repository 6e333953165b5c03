"""Local trees as a source: what is listed, what is left out, what cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ragline.errors import DocumentTooLargeError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.files import FilesSettings, FilesSource
from ragline.sources.protocol import FailedFetch, FetchedDocument


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("a.md", "deep/b.txt", "deep/er/c.md", ".hidden.md", ".git/d.md"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return root


def open_tree(root: Path, **settings: object) -> FilesSource:
    return FilesSource(
        FilesSettings(name="s", collection="c", kind="files", uri=str(root), **settings)
    )


def ids(source: FilesSource) -> list[str]:
    return sorted(listed.document_id for listed in source.list_documents())


def test_ids_are_paths_below_the_root_with_forward_slashes(tree):
    assert ids(open_tree(tree)) == ["a.md", "deep/b.txt", "deep/er/c.md"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.md"], [], ["a.md", "deep/er/c.md"]),
        (["/*.md"], [], ["a.md"]),
        (["deep/**"], [], ["deep/b.txt", "deep/er/c.md"]),
        (["**/*"], ["deep/er/**"], ["a.md", "deep/b.txt"]),
        (["**/*", ".hidden.md"], ["deep/**", ".git/**"], [".hidden.md", "a.md"]),
    ],
)
def test_patterns_choose_as_gitignore_would(tree, include, exclude, expected):
    assert ids(open_tree(tree, include=include, exclude=exclude)) == expected


def test_version_changes_with_the_content_and_stays_without(tree):
    source = open_tree(tree, include=["a.md"])
    (first,) = source.list_documents()
    (again,) = source.list_documents()
    assert first == again
    (tree / "a.md").write_text("longer than before", encoding="utf-8")
    (changed,) = source.list_documents()
    assert changed.version != first.version


def test_probe_moves_with_a_change_and_a_removal(tree):
    source = open_tree(tree)
    before = source.probe()
    assert source.probe() == before
    (tree / "deep" / "b.txt").unlink()
    assert source.probe() != before


def test_missing_root_is_no_empty_source(tmp_path):
    with pytest.raises(SourceUnavailableError, match="no such folder"):
        list(open_tree(tmp_path / "gone").list_documents())


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every folder")
def test_unreadable_folder_makes_the_listing_incomplete(tree):
    (tree / "deep").chmod(0)
    try:
        with pytest.raises(SourceUnavailableError):
            list(open_tree(tree).list_documents())
    finally:
        (tree / "deep").chmod(0o755)


def test_link_out_of_the_tree_is_not_followed(tree, tmp_path):
    (tmp_path / "secret.md").write_text("secret", encoding="utf-8")
    (tree / "link.md").symlink_to(tmp_path / "secret.md")
    (tree / "out").symlink_to(tmp_path)
    assert ids(open_tree(tree)) == ["a.md", "deep/b.txt", "deep/er/c.md"]


def test_file_over_the_limit_is_refused(tree):
    (tree / "big.md").write_bytes(b"x" * 101)
    source = open_tree(tree, max_document_bytes=100)
    (fetched,) = source.fetch_documents(["big.md"])
    assert isinstance(fetched, FailedFetch)
    assert isinstance(fetched.error, DocumentTooLargeError)


def test_file_that_vanished_after_the_listing_is_that_documents_failure(tree):
    results = list(open_tree(tree).fetch_documents(["gone.md", "a.md"]))
    assert isinstance(results[0], FailedFetch)
    assert isinstance(results[0].error, DocumentUnreadableError)
    assert isinstance(results[1], FetchedDocument)
    assert results[1].content == b"a.md"


def test_name_that_is_not_utf8_gets_an_id_and_can_be_read(tree):
    (tree / os.fsdecode(b"caf\xe9 100%.md")).write_bytes(b"odd")
    source = open_tree(tree, include=["caf*"])
    (listed,) = source.list_documents()
    assert listed.document_id == "caf%E9 100%25.md"
    (fetched,) = source.fetch_documents([listed.document_id])
    assert isinstance(fetched, FetchedDocument)
    assert fetched.content == b"odd"


def test_other_file_systems_are_listed_the_same_way():
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in ("/bucket/a.md", "/bucket/deep/b.md", "/bucket/.hidden"):
        memory.pipe_file(path, path.encode())
    source = FilesSource(
        FilesSettings(name="s", collection="c", kind="files", uri="memory://bucket")
    )
    assert ids(source) == ["a.md", "deep/b.md"]
    fetched = {document.document_id: document for document in source.fetch_documents(ids(source))}
    assert fetched["deep/b.md"].content == b"/bucket/deep/b.md"


def test_name_that_is_not_utf8_is_read_by_a_process_that_did_not_list_it(tree):
    (tree / os.fsdecode(b"caf\xe9 100%.md")).write_bytes(b"odd")
    (fetched,) = open_tree(tree).fetch_documents(["caf%E9 100%25.md"])
    assert isinstance(fetched, FetchedDocument)
    assert fetched.content == b"odd"


@pytest.mark.parametrize(("scheme", "extra"), [("gs", "gcs"), ("s3", "s3"), ("abfs", "azure")])
def test_storage_whose_package_is_missing_names_the_extra(monkeypatch, scheme, extra):
    for package in ("gcsfs", "s3fs", "adlfs"):
        monkeypatch.setitem(sys.modules, package, None)
    # It keeps the classes that another test had it load.
    monkeypatch.setattr(sys.modules["fsspec.registry"], "registry", {})
    source = FilesSource(FilesSettings(name="s", collection="c", kind="files", uri=f"{scheme}://b"))
    with pytest.raises(SourceUnavailableError, match=rf"pip install 'ragline\[{extra}\]'"):
        list(source.list_documents())
