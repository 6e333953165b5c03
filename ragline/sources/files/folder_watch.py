"""Watches a local folder: the operating system reports each change, and a callback receives it.

A watch only makes a sync start sooner. The probe of the source finds the same changes a few seconds
later. So an event may be lost, for example if the queue of the operating system overflows, and a
reported document may be unchanged.

The watch names each folder to the operating system. So it watches no hidden or ignored folder, and
follows no symbolic link. If a folder appears or disappears, the watch begins again with the new
list of folders, and reports that the whole source can have changed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from ragline.counts import count
from ragline.sources.files.file_systems import find_network_type
from ragline.sources.files.paths import PathPatterns, encode_path

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

logger = logging.getLogger(__name__)

# Changes are reported when no other change follows for this time. A change is so reported after 50
# to 100 ms.
QUIET_MS = 50
# While one change follows another, they are reported together after this time.
MAX_BATCH_MS = 500
# After this time without a change, the watch checks whether its folder still exists.
CHECK_MS = 1_000
# The time until the next attempt, if a folder cannot be watched.
RETRY_S = 60.0
# The time until the next attempt, if a folder does not exist, or if the callback failed.
SHORT_RETRY_S = 1.0
# The number of times that the folders are listed until two lists are equal.
MAX_LISTINGS = 5
# The numbers of the package watchfiles for events. A rename can have each of the first two.
APPEARED, DISAPPEARED = 1, 3

# The messages of the package watchfiles if a limit is reached: that of folders, or that of watches.
LIMIT = re.compile(r"limit reached|os error 24|os error 28")

# The documents that can have changed. None means the whole source.
Report = Callable[[Collection[str] | None], None]


class UnwatchableError(Exception):
    """The folder cannot be watched now. The message is the reason."""


class FolderWatch:
    """Watches the documents of one source in a thread, from `start` to `stop`.

    `name` is the name of the source. `root` is its folder, and `patterns` decides which files are
    documents. If `file_name` is given, the source is only this file in the folder.

    `report` is called in the thread of the watch. If it raises an error, it is called again after
    SHORT_RETRY_S, and then for the whole source.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        report: Report,
        patterns: PathPatterns,
        *,
        file_name: str | None = None,
    ) -> None:
        self._name = name
        self._root = os.fspath(root)
        self._report = report
        self._patterns = patterns
        self._file_name = file_name
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"watch-{name}", daemon=True)
        self._folders: frozenset[str] = frozenset()
        self._reason: str | None = None
        self._is_missed = False
        self._is_failing = False

    def start(self) -> None:
        """Start the watch. Returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the watch, and wait until its thread ends. It is safe to call it twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def is_watching(self) -> bool:
        """Whether changes of the folder are reported now."""
        return bool(self._folders)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
            except UnwatchableError as error:
                self._log_reason(str(error))
                is_missing = not os.path.isdir(self._root)  # noqa: PTH112
                self._stopping.wait(SHORT_RETRY_S if is_missing else RETRY_S)
            except Exception as error:  # noqa: BLE001  this thread has no caller: log and retry
                self._log_reason(f"{type(error).__name__}: {error}")
                self._stopping.wait(RETRY_S)
            finally:
                self._folders = frozenset()

    def _watch(self) -> None:
        """Watch the folders that exist now, until one of them appears or disappears.

        Raises:
            UnwatchableError: the folders cannot be watched.
        """
        network_type = find_network_type(self._root)
        if network_type is not None:
            raise UnwatchableError(
                f"it is on a network file system ({network_type}), which does not report the "
                "changes of other machines"
            )
        with self._open() as notify:
            self._log_reason(None)
            identity = _identify(self._root)
            if self._is_missed:
                self._is_missed = not self._send(None)
            while not self._stopping.is_set() and _identify(self._root) == identity:
                try:
                    events = notify.watch(MAX_BATCH_MS, QUIET_MS, CHECK_MS, self._stopping)
                except RuntimeError:  # an event was lost, for example because its path is not UTF-8
                    self._stopping.wait(SHORT_RETRY_S)
                    break
                if not isinstance(events, str) and self._handle(events):
                    break
                if self._is_missed:
                    self._is_missed = not self._send(None)
        # What happens until the next watch begins is not reported.
        self._is_missed = True

    def _open(self) -> RustNotify:
        """Begin to watch all folders.

        A folder that appears while the watch begins is found by the second list.
        """
        from watchfiles._rust_notify import RustNotify

        for _ in range(MAX_LISTINGS):
            folders = frozenset(self._list_folders())
            try:
                # The last argument would hide all errors, also that of the limit.
                notify = RustNotify(sorted(folders), False, False, 0, False, False)
            except (FileNotFoundError, PermissionError):
                continue  # a folder changed after the list was made
            except (OSError, RuntimeError) as error:
                raise UnwatchableError(_explain(error, len(folders))) from error
            if folders == frozenset(self._list_folders()):
                self._folders = folders
                return notify
            notify.close()
        raise UnwatchableError("its folders change too often")

    def _list_folders(self) -> Iterator[str]:
        """Yield the paths of the folders that can contain documents.

        Raises:
            UnwatchableError: the root does not exist or cannot be read.
        """
        try:
            os.scandir(self._root).close()
        except OSError as error:
            raise UnwatchableError(f"{self._root}: {error.strerror}") from error
        if self._file_name is not None:
            yield self._root
            return
        pending = [self._root]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    found = [one.path for one in entries if self._is_watched(one)]
            except OSError:
                continue  # it cannot be read, or it was removed
            yield folder
            pending += found

    def _is_watched(self, entry: os.DirEntry[str]) -> bool:
        is_left_out = self._patterns.is_hidden(entry.name) or self._patterns.skips_folder(
            entry.name
        )
        return not is_left_out and entry.is_dir(follow_symlinks=False)

    def _handle(self, events: set[tuple[int, str]]) -> bool:
        """Report a batch of events. Return whether the watch must begin again."""
        documents: set[str] = set()
        for kind, path in events:
            if self._is_folder_change(kind, path):
                self._is_missed = True
                return True
            if path not in self._folders:
                documents.update(self._name_document(path))
        if documents and not self._send(documents):
            self._is_missed = True
            self._stopping.wait(SHORT_RETRY_S)
        return False

    def _is_folder_change(self, kind: int, path: str) -> bool:
        """Whether a watched folder appeared, disappeared or was replaced.

        The kind of the event is not enough: for a rename, it can be the wrong one.
        """
        if self._file_name is not None:
            return path in self._folders and kind == DISAPPEARED
        if path in self._folders:
            return kind in (APPEARED, DISAPPEARED) or not os.path.isdir(path)  # noqa: PTH112
        is_folder = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
        name = os.path.basename(path)  # noqa: PTH119
        is_left_out = self._patterns.is_hidden(name) or self._patterns.skips_folder(name)
        return is_folder and not is_left_out

    def _name_document(self, path: str) -> Iterator[str]:
        """Yield the id of the document at a path. A path that is no document yields nothing."""
        relative = os.path.relpath(path, self._root)
        if self._file_name is not None:
            if relative == self._file_name:
                yield relative
        elif self._patterns.matches(relative):
            yield encode_path(relative)

    def _send(self, documents: Collection[str] | None) -> bool:
        """Call the callback, and return whether it succeeded."""
        try:
            self._report(None if self._file_name is not None else documents)
        except Exception as error:  # noqa: BLE001  the caller's error, such as a lost database
            if not self._is_failing:  # one line for each outage
                fields = {"source": self._name, "error": f"{type(error).__name__}: {error}"}
                logger.warning("a change was not reported, trying again", extra={"fields": fields})
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def _log_reason(self, reason: str | None) -> None:
        """Log the reason why the folder is not watched, if it differs from the last reason."""
        if reason is not None:
            self._is_missed = True
        if reason == self._reason:
            return
        self._reason = reason
        if reason is None:
            logger.info("folder is watched again", extra={"fields": {"source": self._name}})
            return
        fields = {"source": self._name, "reason": reason, "retry_s": RETRY_S}
        logger.warning(
            "folder is not watched; the probe of the source finds its changes some seconds later",
            extra={"fields": fields},
        )


def _identify(path: str) -> tuple[int, int] | None:
    """The identity of a folder. It changes if the folder is made again or mounted."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _explain(error: Exception, folder_count: int) -> str:
    """The reason why the operating system does not watch the folders, and the remedy."""
    text = str(error).partition(" about [")[0]  # without a list of paths
    if LIMIT.search(text) is None:
        return text
    return (
        f"the operating system allows no watch of {count(folder_count, 'more folder')} ({text}); "
        "increase fs.inotify.max_user_watches or fs.inotify.max_user_instances"
    )
