"""Watches of local folders, on a real file system."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from queue import Empty, Queue
from time import monotonic, sleep

import pytest

from ragline.sources.change_signals import read_signals
from ragline.sources.files import folder_watch
from ragline.sources.files.file_systems import find_network_type
from ragline.sources.files.folder_watch import FolderWatch
from ragline.sources.files.settings import FilesSettings
from ragline.sources.push.settings import PushSettings
from ragline.sources.records.settings import RecordsSettings
from ragline.sources.settings import SourceSettings
from ragline.sources.source_watches import SourceWatches, make_watch
from ragline.storage.database import Database

MAX_WAIT_S = 20.0
# A change is reported within 0.1 s. On a loaded machine, it can take longer.
QUIET_S = 0.5


class Watched:
    """A watched source in a folder, and what its watch has reported."""

    def __init__(self, root: Path, make: Callable[..., SourceSettings]) -> None:
        self.root = root
        self.make = make
        self.reports: Queue[Collection[str] | None] = Queue()
        self.failures = 0
        self.watch: FolderWatch | None = None

    def start(self, **settings: object) -> None:
        self.watch = make_watch(self.make(**settings), self._report)
        assert self.watch is not None
        self.watch.start()
        self.wait_until_watching()

    def _report(self, documents: Collection[str] | None) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        self.reports.put(documents)

    def wait_until_watching(self, *, is_watching: bool = True) -> None:
        assert self.watch is not None
        deadline = monotonic() + MAX_WAIT_S
        while self.watch.is_watching != is_watching:
            assert monotonic() < deadline
            sleep(0.01)

    def write(self, name: str, text: str = "text") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def read(self) -> set[str] | None:
        """All documents that are reported until no report follows. None: the whole source."""
        found: set[str] = set()
        reported = self.reports.get(timeout=MAX_WAIT_S)
        is_whole = False
        while True:
            is_whole |= reported is None
            found.update(reported or ())
            try:
                reported = self.reports.get(timeout=QUIET_S)
            except Empty:
                return None if is_whole else found

    def is_quiet(self) -> bool:
        try:
            self.reports.get(timeout=QUIET_S)
        except Empty:
            return True
        return False


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Watched]:
    root = tmp_path / "notes"

    def make(**settings: object) -> SourceSettings:
        stated = {"name": "notes", "collection": "c", "kind": "files", "uri": str(root)}
        return FilesSettings.model_validate(stated | settings)

    watched = Watched(root, make)
    watched.write("tea.md")
    watched.write("deep/harbour.md")
    yield watched
    if watched.watch is not None:
        watched.watch.stop()


def test_written_changed_and_removed_files_are_reported(notes):
    notes.start()
    assert notes.is_quiet()
    notes.write("new.md")
    assert notes.read() == {"new.md"}
    notes.write("deep/harbour.md", "changed")
    assert notes.read() == {"deep/harbour.md"}
    (notes.root / "tea.md").unlink()
    assert notes.read() == {"tea.md"}


def test_change_is_reported_soon(notes):
    notes.start()
    started = monotonic()
    notes.write("tea.md", "changed")
    assert notes.reports.get(timeout=MAX_WAIT_S) == {"tea.md"}
    assert monotonic() - started < 1.0


def test_changes_in_a_short_time_are_one_report(notes):
    notes.start()
    for number in range(50):
        notes.write(f"{number}.md")
    first = notes.reports.get(timeout=MAX_WAIT_S)
    assert len(first) > 10
    assert {*first, *(notes.read() if len(first) < 50 else ())} == {f"{n}.md" for n in range(50)}


def test_renamed_file_is_reported_under_both_names(notes):
    notes.start()
    (notes.root / "tea.md").rename(notes.root / "deep" / "coffee.md")
    assert notes.read() == {"tea.md", "deep/coffee.md"}


def test_file_moved_in_or_out_is_reported(notes, tmp_path):
    notes.start()
    outside = tmp_path / "outside.md"
    (notes.root / "tea.md").rename(outside)
    assert notes.read() == {"tea.md"}
    outside.rename(notes.root / "back.md")
    assert notes.read() == {"back.md"}


def test_temporary_files_of_editors_are_not_reported(notes):
    notes.start()
    for name in (".tea.md.swp", "tea.md~", ".#tea.md", "#tea.md#", "~$tea.docx", "tea.tmp"):
        notes.write(name).unlink()
    assert notes.is_quiet()
    # Many editors write another file and rename it.
    notes.write(".tea.md.abc.tmp", "saved").rename(notes.root / "tea.md")
    assert notes.read() == {"tea.md"}


def test_ignored_excluded_and_hidden_paths_are_not_reported(notes):
    for folder in (".git", "__pycache__", "drafts"):
        (notes.root / folder).mkdir()
    notes.start(exclude=["drafts/**"], include=["*.md"])
    for name in (".git/index.md", "__pycache__/a.md", "drafts/a.md", "tea.txt", ".hidden.md"):
        notes.write(name)
    (notes.root / ".svn").mkdir()
    assert notes.is_quiet()


def test_new_folder_means_the_whole_source(notes):
    notes.start()
    notes.write("fresh/deeper/a.md")
    assert notes.read() is None
    notes.write("fresh/deeper/b.md")
    assert notes.read() == {"fresh/deeper/b.md"}


def test_folder_that_moves_in_or_away_means_the_whole_source(notes, tmp_path):
    notes.start()
    (notes.root / "deep").rename(tmp_path / "deep")
    assert notes.read() is None
    (tmp_path / "deep").rename(notes.root / "deep2")
    assert notes.read() is None
    notes.write("deep2/harbour.md", "changed")
    assert notes.read() == {"deep2/harbour.md"}


def test_folder_that_is_replaced_is_watched_again(notes):
    notes.start()
    shutil.rmtree(notes.root / "deep")
    notes.write("deep/harbour.md")
    assert notes.read() is None
    notes.write("deep/harbour.md", "changed")
    assert notes.read() == {"deep/harbour.md"}
    shutil.rmtree(notes.root / "deep")
    notes.write("deep")
    assert notes.read() is None


def test_many_new_folders_are_all_watched(notes):
    notes.start()
    for number in range(200):
        notes.write(f"{number}/{number}/a.md")
    assert notes.read() is None
    for number in range(0, 200, 10):
        notes.write(f"{number}/{number}/b.md")
    assert notes.read() == {f"{number}/{number}/b.md" for number in range(0, 200, 10)}


def test_watch_survives_the_loss_of_its_folder(notes, caplog):
    caplog.set_level(logging.INFO)
    notes.start()
    shutil.rmtree(notes.root)
    notes.wait_until_watching(is_watching=False)
    while not notes.is_quiet():
        pass
    notes.write("tea.md")
    assert notes.read() is None
    notes.write("tea.md", "changed")
    assert notes.read() == {"tea.md"}
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "folder is not watched", "folder is watched again",
    ]  # fmt: skip


def test_folder_that_is_replaced_at_once_is_watched_again(notes, tmp_path):
    notes.start()
    other = tmp_path / "other"
    shutil.copytree(notes.root, other)
    notes.root.rename(tmp_path / "old")
    other.rename(notes.root)
    assert notes.read() is None
    notes.write("tea.md", "changed")
    assert notes.read() == {"tea.md"}


def test_links_are_not_followed(notes, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (notes.root / "link").symlink_to(outside)
    (notes.root / "loop").symlink_to(notes.root)
    notes.start()
    (outside / "a.md").write_text("text", "utf-8")
    assert notes.is_quiet()


def test_file_whose_name_is_not_unicode_is_reported(notes):
    notes.start()
    path = os.fsencode(notes.root) + b"/caf\xe9.md"
    try:
        with open(path, "w") as file:  # noqa: PTH123
            file.write("text")
    except OSError:
        pytest.skip("this file system allows only names in Unicode")
    assert notes.read() in ({"caf%E9.md"}, None)
    notes.write("tea.md", "changed")
    assert notes.read() == {"tea.md"}


def test_failed_report_is_repeated_for_the_whole_source(notes, caplog):
    notes.start()
    notes.failures = 2
    notes.write("tea.md", "changed")
    assert notes.read() is None
    assert caplog.text.count("trying again") == 1
    notes.write("tea.md", "again")
    assert notes.read() == {"tea.md"}


def test_folder_without_permission_does_not_stop_the_watch(notes):
    (notes.root / "deep").chmod(0)
    try:
        notes.start()
        notes.write("tea.md", "changed")
        assert notes.read() == {"tea.md"}
    finally:
        (notes.root / "deep").chmod(0o755)


def test_limit_of_the_operating_system_is_explained_once(notes, caplog, monkeypatch):
    limit = OSError('OS file watch limit reached. about ["/srv/a"] (Error)')
    monkeypatch.setattr(folder_watch, "RETRY_S", 0.2)

    def refuse(*_: object) -> None:
        raise limit

    with monkeypatch.context() as refusing:
        refusing.setattr("watchfiles._rust_notify.RustNotify", refuse)
        notes.watch = make_watch(notes.make(), notes._report)
        notes.watch.start()
        sleep(1)
        assert not notes.watch.is_watching
    (line,) = [vars(record) for record in caplog.records]
    assert "the probe of the source finds its changes" in line["message"]
    assert line["fields"]["reason"] == (
        "the operating system allows no watch of 2 more folders (OS file watch limit reached.); "
        "increase fs.inotify.max_user_watches or fs.inotify.max_user_instances"
    )
    # Later, the watch succeeds. It reports what it has missed.
    assert notes.read() is None
    notes.write("tea.md", "changed")
    assert notes.read() == {"tea.md"}


@pytest.mark.parametrize(("limit", "value"), [("watches", 5), ("instances", 0)])
def test_real_limit_of_the_operating_system_is_noticed(tmp_path, limit, value):
    """The limits of a user namespace apply only to the process in it."""
    for number in range(10):
        (tmp_path / f"{number}").mkdir()
    script = f"""\
import logging, sys, time
from ragline.sources.files.folder_watch import FolderWatch
from ragline.sources.files.paths import EVERYTHING, PathPatterns
from pathlib import Path
open("/proc/sys/user/max_inotify_{limit}", "w").write("{value}")
logging.basicConfig(format="%(message)s %(fields)s")
watch = FolderWatch("s", Path({os.fspath(tmp_path)!r}), print, PathPatterns(EVERYTHING, ()))
watch.start()
time.sleep(1)
sys.exit(watch.is_watching)
"""
    if shutil.which("unshare") is None:
        pytest.skip("this machine has no program unshare")
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "unshare" in done.stderr:
        pytest.skip(f"this machine allows no user namespace: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("folder is not watched") == 1
    assert "increase fs.inotify" in done.stderr


def test_network_file_system_is_not_watched(notes, caplog, monkeypatch):
    monkeypatch.setattr(folder_watch, "find_network_type", lambda _: "nfs4")
    notes.watch = make_watch(notes.make(), notes._report)
    notes.watch.start()
    notes.write("tea.md", "changed")
    assert notes.is_quiet()
    assert not notes.watch.is_watching
    (line,) = [vars(record) for record in caplog.records]
    assert "network file system (nfs4)" in line["fields"]["reason"]


def test_type_of_a_network_file_system(monkeypatch, tmp_path):
    class Mount:
        def __init__(self, mountpoint: str, fstype: str) -> None:
            self.mountpoint, self.fstype = mountpoint, fstype

    mounts = [Mount("/", "ext4"), Mount("/srv", "nfs4"), Mount("/srv/disk", "xfs")]
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: mounts)
    assert find_network_type("/srv/notes") == "nfs4"
    assert find_network_type("/srv") == "nfs4"
    assert find_network_type("/srv/disk/notes") is None
    assert find_network_type("/srvs") is None
    (tmp_path / "link").symlink_to("/srv/notes")
    assert find_network_type(str(tmp_path / "link")) == "nfs4"


def test_stopped_watch_ends_its_thread(notes):
    notes.start()
    notes.watch.stop()
    notes.watch.stop()
    assert not notes.watch._thread.is_alive()
    notes.write("tea.md", "changed")
    assert notes.is_quiet()


def test_file_of_records_is_watched_alone(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n", "utf-8")

    def make() -> SourceSettings:
        return RecordsSettings(name="rows", collection="c", kind="records", uri=str(file))

    watched = Watched(tmp_path, make)
    watched.start()
    try:
        watched.write("other.jsonl")
        watched.write("folder/a.md")
        assert watched.is_quiet()
        file.write_text('{"_id": "a"}\n', "utf-8")
        assert watched.read() is None
        watched.write("rows.tmp", "{}").rename(file)
        assert watched.read() is None
        file.unlink()
        assert watched.read() is None
    finally:
        assert watched.watch is not None
        watched.watch.stop()


def test_only_local_sources_are_watched(tmp_path):
    common = {"name": "s", "collection": "c"}

    def is_watched(settings: SourceSettings) -> bool:
        return make_watch(settings, lambda _: None) is not None

    files = {**common, "kind": "files"}
    assert is_watched(FilesSettings(**files, uri=str(tmp_path)))
    assert is_watched(FilesSettings(**files, uri="zip://docs::./docs.zip"))
    assert not is_watched(FilesSettings(**files, uri="s3://bucket/docs"))
    assert not is_watched(FilesSettings(**files, uri="zip://docs::s3://bucket/docs.zip"))
    assert not is_watched(PushSettings(**common, kind="push"))


def test_change_of_a_watched_source_becomes_a_signal(database: Database, notes):
    other = PushSettings(name="inbox", collection="c", kind="push")
    watches = SourceWatches([notes.make(), other], database)
    with watches:
        deadline = monotonic() + MAX_WAIT_S
        while watches.list_watched() != ["notes"]:
            assert monotonic() < deadline
            sleep(0.01)
        notes.write("tea.md", "changed")
        signals = []
        while not signals:
            assert monotonic() < deadline
            with database.connect() as connection:
                signals = read_signals(connection)
    assert [(one.source, one.reason, one.document_ids) for one in signals] == [
        ("notes", "file_change", ("tea.md",))
    ]
    assert watches.list_watched() == []
