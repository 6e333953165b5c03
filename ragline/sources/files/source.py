"""Files under any fsspec URL: local folders, s3, gcs, azure, http, zip and others.

A document's id is its path below the URL, with forward slashes. Local trees are walked by the
operating system's own calls, which is what makes an unchanged tree of 10,000 files cheap; remote
ones are `file_storage`'s.
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
    open_regular_file,
    open_storage,
    read_limited,
    read_version,
    unavailable,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

# What is no longer there when it is looked at.
VANISHED = (FileNotFoundError, NotADirectoryError)
# Behind the id of a file that is not UTF-8, where the spelling of its path is another file's name.
UNSPELLED = " (not UTF-8)"
LONGEST_FAULT = 300


class FilesSource:
    """The files below one URL."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._patterns = PathPatterns(settings.include, settings.exclude, settings.ignore_files)
        self._listed = ""
        self._unread_folders: list[str] = []

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns take, in order of id.

        Raises:
            SourceUnavailableError: the folder could not be read. One below it that cannot be read
                costs what is in it alone.
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
        folders: dict[str, datetime | None] = {}
        for document_id in document_ids:
            folder = os.path.dirname(document_id)  # noqa: PTH120  ids are text, thousands of them
            if folder not in folders:
                folders[folder] = _find_folder_change(root, folder)
            changed_at = folders[folder]
            if changed_at is not None:
                times[document_id] = changed_at
        return times

    def unread_folders(self) -> Sequence[str]:
        """The folders that the last listing could not read."""
        return self._unread_folders

    def ignores(self, document_id: str) -> bool:
        """Whether a file of this id is never listed, as tools leave it for themselves."""
        return self._patterns.ignores(document_id)

    def probe(self) -> str:
        """A hash of the listing: of ids and versions, not of contents."""
        for _ in self.list_documents():
            pass
        return self._listed

    def probe_listing(self) -> str:
        """The hash of the listing that was read last."""
        return self._listed

    def _list_local(self, root: Path) -> Iterator[ListedDocument]:
        """Yield a folder's files and then its folders'; links out of the tree are not followed.

        What vanishes meanwhile is not there. A folder below the root that cannot be read is
        named as a document that fails.
        """
        if not root.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(root))
        start = len(os.path.join(root, ""))  # noqa: PTH118  with the slash behind it
        # A list and no recursion: folders may be nested deeper than calls.
        open_folders = [iter(_read_folder(os.fspath(root)))]
        while open_folders:
            entry = next(open_folders[-1], None)
            if entry is None:
                open_folders.pop()
                continue
            path = entry.path[start:]
            if self._patterns.hides(entry.name):
                continue
            if not _is_folder(entry):
                if self._patterns.match(path):
                    yield from self._describe_entry(entry, path)
            elif not self._patterns.skips_folder(entry.name):
                yield from self._enter_folder(entry, path, open_folders)

    def _enter_folder(
        self,
        folder: os.DirEntry[str],
        path: str,
        open_folders: list[Iterator[os.DirEntry[str]]],
    ) -> Iterator[ListedDocument]:
        """Put a folder's entries on top; yield it as a document where it cannot be read."""
        try:
            open_folders.append(iter(_read_folder(folder.path)))
        except VANISHED:
            return
        except OSError as error:
            folder_id = encode_path(path) + "/"
            self._unread_folders.append(folder_id)
            yield ListedDocument(folder_id, f"unread: {error.strerror}")

    def _describe_entry(self, entry: os.DirEntry[str], path: str) -> Iterator[ListedDocument]:
        """Yield the file that an entry is; nothing for what is none, or has vanished."""
        document_id = encode_path(path)
        if document_id != path and os.path.lexists(entry.path[: -len(path)] + document_id):
            # Another file's name is just what this one's is spelled as.
            document_id += UNSPELLED
        try:
            if not entry.is_file(follow_symlinks=False):
                return
            status = entry.stat(follow_symlinks=False)
        except VANISHED:
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
                raise OSError("the folder can be read again; it is listed by the next sync")
        with open_regular_file(path) as file:
            return read_limited(file, limit)

    def _list_remote(self) -> Iterator[ListedDocument]:
        storage = open_storage(self._settings)
        for path, details in storage.list_files():
            if self._patterns.take(path):
                try:
                    listed = self._describe(storage, path, details)
                except FileNotFoundError:
                    continue  # it has vanished since
                except OSError as error:
                    if not storage.is_there():
                        raise
                    listed = ListedDocument(clean_value(path), f"unread: {error}"[:LONGEST_FAULT])
                yield listed

    def _describe(self, storage: FileStorage, path: str, details: dict[str, Any]) -> ListedDocument:
        """A listed file; one of which the listing says too little is asked for by itself."""
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
        return unavailable(self._settings, "cannot be listed", error)


def _find_folder_change(root: Path, folder: str) -> datetime | None:
    """When a folder's list of files changed last; where it is gone, that of the nearest above."""
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
        return False  # asked once more as a file, it says what is wrong


def _is_doubtful(error: Exception) -> bool:
    """Whether a failure to read one file may be one of the whole storage."""
    return not isinstance(error, FileNotFoundError | PermissionError)
