"""The source of kind `files`: files below an fsspec URL (local, s3, gcs, azure, http, zip, …).

A document's id is its path below the URL, with forward slashes. Local folders are listed by calls
of the operating system, because fsspec is too slow for 10,000 files. `storage` lists remote
folders.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ragline.errors import DocumentError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.files.paths import PathPatterns, decode_path, encode_path
from ragline.sources.files.settings import FilesSettings
from ragline.sources.files.storage import (
    CHANGED_KEYS,
    FileStorage,
    make_unavailable_error,
    open_regular_file,
    open_storage,
    read_limited,
    read_version,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument, FetchResult, ListedDocument
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

# The errors of an access to a file or a folder that was removed during the listing.
REMOVED_ERRORS = (FileNotFoundError, NotADirectoryError)
# This suffix is added to the id of a file whose path is not UTF-8, if the encoded path is also the
# name of another file.
NOT_UTF8_SUFFIX = " (not UTF-8)"
MAX_REASON_CHARS = 300


class FilesSource:
    """A source whose documents are the files below one URL."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._patterns = PathPatterns(settings.include, settings.exclude, settings.ignore_files)
        self._listing_hash = ""
        self._unread_folders: list[str] = []

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns match.

        Raises:
            SourceUnavailableError: the folder at the URL could not be read. If a local folder below
                it cannot be read, the listing continues without the files in that folder.
        """
        root = self._settings.local_path
        files = self._list_remote() if root is None else self._list_local(root)
        digest = hashlib.sha256()
        self._unread_folders = []
        try:
            for listed in files:
                digest.update(f"{listed.document_id}\0{listed.version}\n".encode())
                yield listed
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error
        self._listing_hash = digest.hexdigest()

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the named files with their bytes, in the given order.

        A file over the size limit fails. It is not read to its end.

        Raises:
            SourceUnavailableError: the storage can no longer be reached.
        """
        storage = None if self._settings.local_path is not None else self._open_storage()
        read = self._read_local if storage is None else storage.read
        for document_id in document_ids:
            try:
                content = read(document_id, self._settings.max_document_bytes)
            except DocumentError as error:
                yield FailedFetch(document_id, error)
            except (OSError, ValueError) as error:
                if storage is not None and _may_be_storage_failure(error) and not storage.exists():
                    raise self._unavailable(error) from error
                reason = getattr(error, "strerror", None) or str(error)
                yield FailedFetch(document_id, DocumentUnreadableError(f"cannot be read: {reason}"))
            else:
                yield FetchedDocument(document_id, content, document_id.rpartition("/")[2])

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """For each local file, the time at which its folder last changed.

        The removal of a file changes the folder. Remote files are left out.
        """
        root = self._settings.local_path
        if root is None:
            return {}
        times: dict[str, datetime] = {}
        folders: dict[str, datetime | None] = {}
        for document_id in document_ids:
            folder = os.path.dirname(document_id)  # noqa: PTH120  faster for thousands of ids
            if folder not in folders:
                folders[folder] = _find_folder_change(root, folder)
            changed_at = folders[folder]
            if changed_at is not None:
                times[document_id] = changed_at
        return times

    def unread_folders(self) -> Sequence[str]:
        """The folders that the last listing could not read, as prefixes of ids."""
        return self._unread_folders

    def ignores(self, document_id: str) -> bool:
        """Whether listings leave out a file that a program created for its own use."""
        return self._patterns.ignores(document_id)

    def probe(self) -> str:
        """List the files and return a hash of their ids and versions."""
        for _ in self.list_documents():
            pass
        return self._listing_hash

    def probe_listing(self) -> str:
        """The value of `probe` for the last listing."""
        return self._listing_hash

    def _list_local(self, root: Path) -> Iterator[ListedDocument]:
        """Yield the files below a folder. Symbolic links are not followed.

        Files that are removed during the listing are left out. A folder below the root that cannot
        be read is yielded as one document. The fetch of this document fails.
        """
        if not root.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(root))
        start = len(os.path.join(root, ""))  # noqa: PTH118  with a trailing slash
        # A list replaces recursion, because folders can be nested more deeply than Python's limit
        # of recursion.
        open_folders = [iter(_read_folder(os.fspath(root)))]
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
                continue
            path = entry.path[start:]
            if self._patterns.is_hidden(entry.name):
                continue
            if not _is_folder(entry):
                if self._patterns.matches_visible(path):
                    yield from self._describe_entry(entry, path)
            elif not self._patterns.skips_folder(entry.name):
                yield from self._enter_folder(entry, path, open_folders)

    def _enter_folder(
        self,
        folder: os.DirEntry[str],
        path: str,
        open_folders: list[Iterator[os.DirEntry[str]]],
    ) -> Iterator[ListedDocument]:
        """Add the entries of a folder to `open_folders`.

        If the folder cannot be read, yield it as a document.
        """
        try:
            open_folders.append(iter(_read_folder(folder.path)))
        except REMOVED_ERRORS:
            return
        except OSError as error:
            folder_id = encode_path(path) + "/"
            self._unread_folders.append(folder_id)
            yield ListedDocument(folder_id, f"unread: {error.strerror}")

    def _describe_entry(self, entry: os.DirEntry[str], path: str) -> Iterator[ListedDocument]:
        """Yield the file of a folder entry.

        Yield nothing if the entry is not a file, or if the file was removed.
        """
        document_id = encode_path(path)
        if document_id != path and os.path.lexists(entry.path[: -len(path)] + document_id):
            # Another file has the encoded path as its name.
            document_id += NOT_UTF8_SUFFIX
        try:
            if not entry.is_file(follow_symlinks=False):
                return
            status = entry.stat(follow_symlinks=False)
        except REMOVED_ERRORS:
            return
        except OSError as error:
            yield ListedDocument(document_id, f"unread: {error.strerror}")
            return
        yield ListedDocument(
            document_id=document_id,
            version=f"{status.st_size}-{status.st_mtime_ns}",
            size_bytes=status.st_size,
            changed_at=read_timestamp(status.st_mtime),
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
        if "%" in document_id and not os.path.lexists(path):
            path = root / decode_path(document_id)
        if document_id.endswith("/"):
            with os.scandir(path):
                raise OSError("the folder can be read again; the next sync lists its files")
        with open_regular_file(path) as file:
            return read_limited(file, limit)

    def _list_remote(self) -> Iterator[ListedDocument]:
        storage = open_storage(self._settings)
        for path, details in storage.list_files():
            if self._patterns.matches(path):
                try:
                    listed = self._describe(storage, path, details)
                except FileNotFoundError:
                    continue  # the file was removed during the listing
                except OSError as error:
                    if not storage.exists():
                        raise
                    listed = ListedDocument(
                        clean_value(path), f"unread: {error}"[:MAX_REASON_CHARS]
                    )
                yield listed

    def _describe(self, storage: FileStorage, path: str, details: dict[str, Any]) -> ListedDocument:
        """Make the listed document of a remote file.

        If the listing has no version for the file, its details are requested.
        """
        if read_version(details) is None:
            details |= storage.describe(path)
        limit = self._settings.max_document_bytes
        size = details.get("size")
        return ListedDocument(
            document_id=clean_value(path),
            version=read_version(details) or storage.hash(path, limit),
            size_bytes=size if isinstance(size, int) else None,
            changed_at=next(
                (read_timestamp(details[key]) for key in CHANGED_KEYS if details.get(key)), None
            ),
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return make_unavailable_error(self._settings, "cannot be listed", error)


def _find_folder_change(root: Path, folder: str) -> datetime | None:
    """The time at which a folder last changed.

    If the folder is missing, the result is the time of the nearest existing folder above it.
    """
    path = root / folder
    while not path.is_dir() and path != root:
        path = path.parent
    try:
        return read_timestamp(path.stat().st_mtime)
    except OSError:
        return None


def _read_folder(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # the caller then reads the entry's `stat`, which raises the error


def _may_be_storage_failure(error: Exception) -> bool:
    """Whether the failure to read one file can be a failure of the whole storage."""
    return not isinstance(error, FileNotFoundError | PermissionError)
