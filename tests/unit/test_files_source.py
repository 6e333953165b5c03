"""Local folders as a source: listed, ignored and unreadable files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ragline.errors import DocumentTooLargeError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.source import FilesSource
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
def test_patterns_match_as_in_gitignore(tree, include, exclude, expected):
    assert ids(open_tree(tree, include=include, exclude=exclude)) == expected


def test_version_only_changes_with_the_content(tree):
    source = open_tree(tree, include=["a.md"])
    (first,) = source.list_documents()
    (again,) = source.list_documents()
    assert first == again
    (tree / "a.md").write_text("longer than before", encoding="utf-8")
    (changed,) = source.list_documents()
    assert changed.version != first.version


def test_probe_changes_with_an_edit_and_a_removal(tree):
    source = open_tree(tree)
    before = source.probe()
    assert source.probe() == before
    (tree / "deep" / "b.txt").unlink()
    assert source.probe() != before


def test_missing_root_is_unavailable(tmp_path):
    with pytest.raises(SourceUnavailableError, match="no such folder"):
        list(open_tree(tmp_path / "gone").list_documents())


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, refused: Path, error: OSError) -> None:
    """Let the operating system refuse one path, also for the root user."""
    real = getattr(os, call)

    def refusing(path, *arguments, **options):
        if os.fspath(path) == os.fspath(refused):
            raise error
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, call, refusing)


DENIED = PermissionError(13, "Permission denied")


def test_unreadable_folder_only_fails_itself(tree, monkeypatch):
    refuse(monkeypatch, "scandir", tree / "deep", DENIED)
    source = open_tree(tree)
    assert ids(source) == ["a.md", "deep/"]
    assert source.unread_folders() == ["deep/"]
    (failed,) = source.fetch_documents(["deep/"])
    assert isinstance(failed, FailedFetch)
    assert "Permission denied" in str(failed.error)
    monkeypatch.undo()
    assert ids(source) == ["a.md", "deep/b.txt", "deep/er/c.md"]
    assert source.unread_folders() == []


def test_unreadable_root_is_unavailable(tree, monkeypatch):
    refuse(monkeypatch, "scandir", tree, DENIED)
    with pytest.raises(SourceUnavailableError, match="Permission denied"):
        ids(open_tree(tree))


def test_file_that_cannot_be_opened_only_fails_itself(tree, monkeypatch):
    refuse(monkeypatch, "open", tree / "a.md", DENIED)
    failed, read = open_tree(tree).fetch_documents(["a.md", "deep/b.txt"])
    assert isinstance(failed, FailedFetch)
    assert "Permission denied" in str(failed.error)
    assert isinstance(read, FetchedDocument)


@pytest.mark.parametrize("vanished", ["a.md", "deep"])
def test_files_removed_during_the_listing_are_left_out(tree, monkeypatch, vanished):
    real = os.scandir

    class Vanishing:
        """The entries of a folder, one of which is removed after they were read."""

        def __init__(self, path) -> None:
            self._entries = real(path)

        def __enter__(self):
            found = list(self._entries)
            if (tree / "a.md").exists() and (tree / "deep").exists():
                (tree / vanished).rename(tree.with_name("elsewhere"))
            return iter(found)

        def __exit__(self, *_: object) -> None:
            self._entries.close()

    monkeypatch.setattr(os, "scandir", Vanishing)
    expected = {"a.md": ["deep/b.txt", "deep/er/c.md"], "deep": ["a.md"]}
    assert ids(open_tree(tree)) == expected[vanished]


@pytest.mark.timeout(30)
def test_pipes_sockets_devices_and_link_loops_are_left_out(tree, monkeypatch):
    os.mkfifo(tree / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tree)
        listener.bind("socket.md")
        (tree / "round.md").symlink_to(tree / "round.md")
        (tree / "deep" / "up").symlink_to(tree)
        source = open_tree(tree)
        assert ids(source) == ["a.md", "deep/b.txt", "deep/er/c.md"]
        # A pipe that replaces a file after the listing does not block.
        (failed,) = source.fetch_documents(["pipe.md"])
    assert isinstance(failed, FailedFetch)
    assert "not a regular file" in str(failed.error)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are UTF-8")
def test_encoded_name_that_is_the_name_of_another_file_only_fails_itself(tree):
    (tree / "%FF.md").write_text("percent", encoding="utf-8")
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff.md")).write_bytes(b"bytes")
    source = open_tree(tree, include=["*.md"])
    listed = ids(source)
    assert listed == ["%FF.md", "%FF.md (not UTF-8)", "a.md", "deep/er/c.md"]
    read, failed = source.fetch_documents(listed[:2])
    assert isinstance(read, FetchedDocument)
    assert read.content == b"percent"
    assert isinstance(failed, FailedFetch)


@pytest.mark.timeout(60)
def test_folders_nested_deeper_than_the_recursion_limit_are_listed(tree):
    deep = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=deep)
        deeper = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = deeper
    os.close(os.open("bottom.md", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)
    try:
        listed = ids(open_tree(tree))
    finally:
        # pytest cannot remove it.
        subprocess.run(["rm", "-rf", tree / "d"], check=True)
    assert listed[0] == "a.md"
    assert "d/" * 1500 + "bottom.md" in listed


@pytest.mark.parametrize("timestamp_s", [-(2**40), 2**40, -1])
def test_time_outside_the_calendar_is_left_out(tree, timestamp_s):
    os.utime(tree / "a.md", (timestamp_s, timestamp_s))
    assert "a.md" in ids(open_tree(tree))


LEFT_BY_TOOLS = [
    "~$lease.docx", ".~lock.lease.odt#", "~WRL0001.tmp", "plain.md~", "#plain.md#", ".#plain.md",
    "notes.bak", "NOTES.BAK", ".plain.md.swp", "plain.md.swp", "plain.md.orig", "Thumbs.db",
    "thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._lease.docx", "lease.tmp",
    "film.part", "book.pdf.crdownload", "book.pdf.filepart", "a.partial", "Icon\r", "drawing.dwl",
    "__MACOSX/lease.docx", "__MACOSX/deep/._x.md", "@eaDir/x.md", "$RECYCLE.BIN/x.md",
    "System Volume Information/x.txt", "lost+found/x.md", "deep/er/~$lease.docx", ".git/config",
]  # fmt: skip
DOCUMENTS = [
    "a.md", "lease.docx", "backup.md", "tmp.md", "~user.md", "poetry.lock", "README.old", "part.md",
    "desktop.md", "C#.md", "notes.bak.md", "MACOSX/x.md", "parts/x.md", "my~file.md", "$x.md",
]  # fmt: skip


def plant(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return root


@pytest.mark.parametrize("include", [["**/*"], ["**/*", ".*"]], ids=["visible", "hidden too"])
def test_files_of_tools_are_ignored(tmp_path, include):
    plant(tmp_path, LEFT_BY_TOOLS + DOCUMENTS)
    assert ids(open_tree(tmp_path, include=include)) == sorted(DOCUMENTS)


def test_setting_changes_what_is_ignored(tmp_path):
    plant(tmp_path, ["a.md", "a.bak", "a.old", "~$a.md", "attic/b.md"])
    everything = ["a.bak", "a.md", "a.old", "attic/b.md", "~$a.md"]
    assert ids(open_tree(tmp_path, ignore_files=False)) == everything
    assert ids(open_tree(tmp_path, ignore_files=["*.OLD", "attic/"])) == ["a.bak", "a.md", "~$a.md"]
    assert ids(open_tree(tmp_path)) == ["a.md", "a.old", "attic/b.md"]


@pytest.mark.parametrize("name", ["*.bak", "/deep/*.bak", "notes.bak", "**/*.bak"])
def test_include_pattern_with_an_ignored_name_includes_the_file(tmp_path, name):
    plant(tmp_path, ["a.md", "deep/notes.bak", "deep/~$a.md", "__MACOSX/x.md"])
    assert ids(open_tree(tmp_path, include=["*.md", name])) == ["a.md", "deep/notes.bak"]


def test_include_pattern_with_an_ignored_folder_includes_its_files(tmp_path):
    plant(tmp_path, ["a.md", "__MACOSX/x.md", "@eaDir/y.md"])
    assert ids(open_tree(tmp_path, include=["*.md", "__MACOSX/**"])) == ["__MACOSX/x.md", "a.md"]


@pytest.mark.parametrize("pattern", ["a/b", "/", ""])
def test_pattern_that_cannot_match_a_name_is_refused(tmp_path, pattern):
    with pytest.raises(ValueError, match="not a pattern of a name"):
        open_tree(tmp_path, ignore_files=[pattern])


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


def test_file_removed_after_the_listing_only_fails_itself(tree):
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


def test_another_process_reads_a_name_that_is_not_utf8(tree):
    (tree / os.fsdecode(b"caf\xe9 100%.md")).write_bytes(b"odd")
    (fetched,) = open_tree(tree).fetch_documents(["caf%E9 100%25.md"])
    assert isinstance(fetched, FetchedDocument)
    assert fetched.content == b"odd"


@pytest.mark.parametrize(("scheme", "extra"), [("gs", "gcs"), ("s3", "s3"), ("abfs", "azure")])
def test_storage_whose_package_is_missing_names_the_extra(monkeypatch, scheme, extra):
    for package in ("gcsfs", "s3fs", "adlfs"):
        monkeypatch.setitem(sys.modules, package, None)
    # It keeps the classes that another test had it load.
    monkeypatch.setattr(import_module("fsspec.registry"), "registry", {})
    source = FilesSource(FilesSettings(name="s", collection="c", kind="files", uri=f"{scheme}://b"))
    with pytest.raises(SourceUnavailableError, match=rf"pip install 'ragline\[{extra}\]'"):
        list(source.list_documents())
