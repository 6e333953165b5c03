"""Files under any fsspec URL: local folders, s3, gcs, azure, http, zip and others.

A document's id is its path below the URL, with forward slashes. Local trees are walked by the
operating system's own calls, which is what makes an unchanged tree of 10,000 files cheap; remote
ones are `file_storage`'s.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ragline.errors import DocumentError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.file_paths import EVERYTHING, PathPatterns, decode_path, encode_path
from ragline.sources.file_storage import (
    CHANGED_KEYS,
    FileStorage,
    StoredSettings,
    open_storage,
    read_limited,
    read_version,
    unavailable,
)
from ragline.sources.moments import read_moment
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument


class FilesSettings(StoredSettings):
    """A folder of files. `include` and `exclude` are those of `PathPatterns`."""

    kind: Literal["files"]
    include: tuple[str, ...] = EVERYTHING
    exclude: tuple[str, ...] = ()


class FilesSource:
    """The files below one URL."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._patterns = PathPatterns(settings.include, settings.exclude)
        self._listed = ""

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns take, in order of id.

        Raises:
            SourceUnavailableError: the folder, or one below it, could not be read.
        """
        root = self._settings.local_path
        files = self._list_remote() if root is None else self._list_local(root)
        digest = hashlib.sha256()
        try:
            for listed in files:
                digest.update(f"{listed.document_id}\0{listed.version}\n".encode())
                yield listed
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error
        self._listed = digest.hexdigest()

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the bytes of the named files, in the order given.

        A file over the size limit is refused without reading it whole.

        Raises:
            SourceUnavailableError: the storage went away; it would fail for every file.
        """
        storage = None if self._settings.local_path is not None else self._open_storage()
        read = self._read_local if storage is None else storage.read
        for document_id in document_ids:
            try:
                content = read(document_id, self._settings.max_document_bytes)
            except DocumentError as error:
                yield FailedFetch(document_id, error)
            except (OSError, ValueError) as error:
                if storage is not None and _is_doubtful(error) and not storage.is_there():
                    raise self._unavailable(error) from error
                reason = getattr(error, "strerror", None) or str(error)
                yield FailedFetch(document_id, DocumentUnreadableError(f"cannot be read: {reason}"))
            else:
                yield FetchedDocument(document_id, content, document_id.rpartition("/")[2])

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """When the folders changed that local files were last in: a removal shows there."""
        root = self._settings.local_path
        if root is None:
            return {}
        times: dict[str, datetime] = {}
        folders: dict[str, datetime] = {}
        for document_id in document_ids:
            folder = os.path.dirname(document_id)  # noqa: PTH120  ids are text, thousands of them
            if folder not in folders:
                folders[folder] = _find_folder_change(root, folder)
            times[document_id] = folders[folder]
        return times

    def probe(self) -> str:
        """A hash of the listing: of ids and versions, not of contents."""
        for _ in self.list_documents():
            pass
        return self._listed

    def probe_listing(self) -> str:
        """The hash of the listing that was read last."""
        return self._listed

    def _list_local(self, root: Path) -> Iterator[ListedDocument]:
        if not root.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(root))
        yield from self._walk(os.fspath(root), "")

    def _walk(self, folder: str, prefix: str) -> Iterator[ListedDocument]:
        """Yield a folder's files and then its folders'; links out of the tree are not followed."""
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = prefix + entry.name
            if self._patterns.hides(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(entry.path, path + "/")
            elif entry.is_file(follow_symlinks=False) and self._patterns.match(path):
                status = entry.stat(follow_symlinks=False)
                yield ListedDocument(
                    document_id=encode_path(path),
                    version=f"{status.st_size}-{status.st_mtime_ns}",
                    size_bytes=status.st_size,
                    changed_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def _open_storage(self) -> FileStorage:
        try:
            return open_storage(self._settings)
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def _read_local(self, document_id: str, limit: int) -> bytes:
        root = self._settings.local_path
        assert root is not None
        path = root / document_id
        if "%" in document_id and not path.exists():
            path = root / decode_path(document_id)
        with path.open("rb") as file:
            return read_limited(file, limit)

    def _list_remote(self) -> Iterator[ListedDocument]:
        storage = open_storage(self._settings)
        for path, details in storage.list_files():
            if self._patterns.take(path):
                yield self._describe(storage, path, details)

    def _describe(self, storage: FileStorage, path: str, details: dict[str, Any]) -> ListedDocument:
        """A listed file; one of which the listing says too little is asked for by itself."""
        if read_version(details) is None:
            details |= storage.describe(path)
        limit = self._settings.max_document_bytes
        return ListedDocument(
            document_id=path,
            version=read_version(details) or storage.hash(path, limit),
            size_bytes=details.get("size"),
            changed_at=next(
                (read_moment(details[key]) for key in CHANGED_KEYS if details.get(key)), None
            ),
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return unavailable(self._settings, "cannot be listed", error)


def _find_folder_change(root: Path, folder: str) -> datetime:
    """When a folder's list of files changed last; where it is gone, that of the nearest above."""
    path = root / folder
    while not path.is_dir() and path != root:
        path = path.parent
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _is_doubtful(error: Exception) -> bool:
    """Whether a failure to read one file may be one of the whole storage."""
    return not isinstance(error, FileNotFoundError | PermissionError)
