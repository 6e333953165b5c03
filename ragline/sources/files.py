"""Files under any fsspec URL: local folders, s3, gcs, azure, http, zip and others.

A document's id is its path below the URL, with forward slashes. Local trees are walked by the
operating system's own calls, which is what makes an unchanged tree of 10,000 files cheap.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import fsspec
from pathspec import GitIgnoreSpec

from ragline.errors import DocumentTooLargeError, DocumentUnreadableError, SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument
from ragline.sources.settings import LocatedSettings

# What storages call the value that changes with the content, the best first.
VERSION_KEYS = ("ETag", "etag", "md5", "md5Hash", "content_md5", "checksum", "CRC")
CHANGED_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class FilesSettings(LocatedSettings):
    """A folder of files.

    Patterns are those of `.gitignore`: `**` crosses folders, and a pattern without a slash
    matches the name at any depth. A file is taken when an `include` pattern matches it and no
    `exclude` pattern does. Names that begin with a dot are left out unless an `include` pattern
    itself names one.
    """

    kind: Literal["files"]
    include: tuple[str, ...] = ("**/*",)
    exclude: tuple[str, ...] = ()


class FilesSource:
    """The files below one URL."""

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._included = GitIgnoreSpec.from_lines(settings.include)
        self._excluded = GitIgnoreSpec.from_lines(settings.exclude)
        self._takes_hidden = any(
            part.startswith(".") for pattern in settings.include for part in pattern.split("/")
        )
        self._takes_all = settings.include == ("**/*",)
        # Ids of files whose names are not UTF-8, and where they are.
        self._encoded: dict[str, str] = {}

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns take, in order of id.

        Raises:
            SourceUnavailableError: the folder, or one below it, could not be read.
        """
        root = self._settings.local_path
        listed = self._list_remote() if root is None else self._list_local(root)
        try:
            yield from listed
        except (OSError, ValueError, ImportError) as error:
            raise self._unavailable(error) from error

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the bytes of the named files, in the order given.

        A file over the size limit is refused without reading it whole.
        """
        read = self._remote_reader() if self._settings.local_path is None else self._read_local
        limit = self._settings.max_document_bytes
        for document_id in document_ids:
            try:
                content = read(document_id, limit + 1)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                yield FailedFetch(document_id, DocumentUnreadableError(f"cannot be read: {reason}"))
                continue
            if len(content) > limit:
                too_large = DocumentTooLargeError(f"the file is larger than {limit} bytes")
                yield FailedFetch(document_id, too_large)
            else:
                name = document_id.rpartition("/")[2]
                yield FetchedDocument(document_id, content, name)

    def probe(self) -> str:
        """A hash of the listing: of ids and versions, not of contents."""
        digest = hashlib.sha256()
        for listed in self.list_documents():
            digest.update(f"{listed.document_id}\0{listed.version}\n".encode())
        return digest.hexdigest()

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
            if self._is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(entry.path, path + "/")
            elif entry.is_file(follow_symlinks=False) and self._takes(path):
                status = entry.stat(follow_symlinks=False)
                yield ListedDocument(
                    document_id=self._identify(path),
                    version=f"{status.st_size}-{status.st_mtime_ns}",
                    size_bytes=status.st_size,
                    changed_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def _identify(self, path: str) -> str:
        document_id = encode_path(path)
        if document_id != path:
            self._encoded[document_id] = path
        return document_id

    def _read_local(self, document_id: str, count: int) -> bytes:
        root = self._settings.local_path
        assert root is not None
        with (root / self._encoded.get(document_id, document_id)).open("rb") as file:
            return file.read(count)

    def _list_remote(self) -> Iterator[ListedDocument]:
        file_system, root = fsspec.core.url_to_fs(self._settings.uri)
        if not file_system.exists(root):
            raise FileNotFoundError(2, "there is nothing at this URL", self._settings.uri)
        # `find` skips the folders that it may not read, and the listing would look complete.
        for folder, _, files in file_system.walk(root, detail=True, on_error="raise"):
            prefix = folder[len(root.rstrip("/")) :].strip("/")
            for name in sorted(files):
                document_id = f"{prefix}/{name}".lstrip("/")
                is_hidden = any(self._is_hidden(part) for part in document_id.split("/"))
                if not is_hidden and self._takes(document_id):
                    yield _describe_remote(document_id, files[name])

    def _remote_reader(self) -> Any:
        file_system, root = fsspec.core.url_to_fs(self._settings.uri)

        def read(document_id: str, count: int) -> bytes:
            with file_system.open(f"{root.rstrip('/')}/{document_id}", "rb") as file:
                return bytes(file.read(count))

        return read

    def _is_hidden(self, name: str) -> bool:
        return name.startswith(".") and not self._takes_hidden

    def _takes(self, path: str) -> bool:
        is_included = self._takes_all or self._included.match_file(path)
        return is_included and not (self._settings.exclude and self._excluded.match_file(path))

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        place = getattr(error, "filename", None) or self._settings.uri
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return SourceUnavailableError(
            f"source {self._settings.name}: {place} cannot be listed: {reason}"
        )


def encode_path(path: str) -> str:
    """A local path as an id that is valid Unicode; the path of nearly every file as it is.

    In a path that is not UTF-8, the bytes that are not become `%XX`, and a `%` becomes `%25`.
    """
    if is_unicode(path):
        return path
    escaped = path.replace("%", "%25")
    return "".join(
        f"%{ord(character) & 0xFF:02X}" if "\udc80" <= character <= "\udcff" else character
        for character in escaped
    )


def is_unicode(path: str) -> bool:
    """Whether a path from the operating system was valid UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in path)


def _describe_remote(document_id: str, info: dict[str, Any]) -> ListedDocument:
    version = next((str(info[key]) for key in VERSION_KEYS if info.get(key)), None)
    changed = next((info[key] for key in CHANGED_KEYS if info.get(key)), None)
    size = info.get("size")
    return ListedDocument(
        document_id=document_id,
        version=version or f"{size}-{changed}",
        size_bytes=size,
        changed_at=_read_moment(changed),
    )


def _read_moment(value: Any) -> datetime | None:
    """A time of change as storages give it: a datetime, seconds since 1970, or ISO 8601."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return None
