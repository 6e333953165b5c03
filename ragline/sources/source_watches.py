"""Watches the local sources of a configuration, and sends a signal for each change.

Sources of the kinds `files` and `records` are watched if their `uri` is a path on this machine.
`folder_watch` watches one folder, and `change_signals` stores the signals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ragline.sources.change_signals import record_change
from ragline.sources.files.folder_watch import FolderWatch, Report
from ragline.sources.files.paths import EVERYTHING, PathPatterns
from ragline.sources.files.settings import FilesSettings, StorageSettings
from ragline.sources.settings import SourceSettings

if TYPE_CHECKING:
    from ragline.storage.database import Database


class SourceWatches:
    """The watches of all local sources, from `start` to `stop`. Each watch has its own thread.

    A folder that cannot be watched causes one line in the log, and further attempts. Its changes
    are then found by the probe of the source.
    """

    def __init__(self, sources: Iterable[SourceSettings], database: Database) -> None:
        made = {one.name: make_watch(one, partial(_signal, database, one.name)) for one in sources}
        self._watches = {name: watch for name, watch in made.items() if watch is not None}

    def start(self) -> None:
        """Start all watches. Returns at once."""
        for watch in self._watches.values():
            watch.start()

    def stop(self) -> None:
        """Stop all watches, and wait until their threads end. It is safe to call it twice."""
        for watch in self._watches.values():
            watch.stop()

    def list_watched(self) -> list[str]:
        """Return the names of the sources whose changes are reported now, in order."""
        return sorted(name for name, watch in self._watches.items() if watch.is_watching)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def make_watch(source: SourceSettings, report: Report) -> FolderWatch | None:
    """Make the watch of a source; None if the source is not a folder or file on this machine."""
    if not isinstance(source, StorageSettings) or not source.is_local:
        return None
    if isinstance(source, FilesSettings) and source.local_path is not None:
        patterns = PathPatterns(source.include, source.exclude, source.ignore_files)
        return FolderWatch(source.name, source.local_path, report, patterns)
    # The file of the records, or an archive such as zip://folder::/srv/manuals.zip.
    file = Path(source.uri.rpartition("::")[2])
    everything = PathPatterns(EVERYTHING, (), ignored=False)
    return FolderWatch(source.name, file.parent, report, everything, file_name=file.name)


def _signal(database: Database, source_name: str, document_ids: Collection[str] | None) -> None:
    record_change(database, source_name, "file_change", document_ids)
