"""Accesses files through fsspec: opens a storage, lists and reads files, finds their versions.

The kinds `files` and `records` use it. fsspec caches listings in an open storage, and a cached
listing can be outdated. So each listing, fetch and probe opens the storage again.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ragline.errors import DocumentTooLargeError, SourceUnavailableError
from ragline.fingerprints import hash_bytes
from ragline.sources.files.settings import StorageSettings, read_protocol
from ragline.sources.settings import LocatedSettings

# Names of values that change with the content, such as an ETag. The first value that exists is the
# version.
TAG_KEYS = ("ETag", "etag", "md5", "md5Hash", "content_md5", "Content-MD5", "Digest", "checksum")
# Names of values that change with most changes of the content. If no value of TAG_KEYS exists, they
# are the version, together with the size.
CHANGED_KEYS = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified")
STAMP_KEYS = (*CHANGED_KEYS, "created", "date_time", "CRC")
# Protocols of storages without folders. Such a storage lists all files below a prefix, a thousand
# in each request.
FLAT_PROTOCOLS = ("s3", "s3a")
# The extra of Ragline that contains the package for a protocol.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "http": "http", "https": "http"}
EXTRAS |= dict.fromkeys(("az", "abfs", "abfss"), "azure")


@dataclass(frozen=True)
class FileStorage:
    """An open storage. Every failure raises OSError. Paths are relative to `root`."""

    file_system: Any
    root: str
    is_flat: bool

    def list_files(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the path and the details of each file.

        Raises:
            OSError: the root does not exist, or a folder cannot be read.
        """
        with raise_os_errors():
            if not self.file_system.exists(self.root):
                raise FileNotFoundError(2, "there is no file or folder at this URL")
            for path, details in self._find() if self.is_flat else self._walk():
                # The consoles of object storages show an empty folder by an object whose name ends
                # with a slash.
                if path and not path.endswith("/"):
                    yield path, details

    def _find(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, details in self.file_system.find(self.root, detail=True).items():
            yield self._relative(name), details

    def _walk(self) -> Iterator[tuple[str, dict[str, Any]]]:
        # fsspec's `find` skips folders without permission. An incomplete listing would look
        # complete.
        for folder, _, files in self.file_system.walk(self.root, detail=True, on_error="raise"):
            prefix = self._relative(folder).rstrip("/")
            for name in sorted(files):
                yield (f"{prefix}/{name}" if prefix else name), files[name]

    def exists(self) -> bool:
        """Whether the storage answers and the root exists."""
        try:
            with raise_os_errors():
                return bool(self.file_system.exists(self.root))
        except OSError:
            return False

    def describe(self, path: str = "") -> dict[str, Any]:
        """The details of one file, or of the root, from a separate request."""
        with raise_os_errors():
            return dict(self.file_system.info(self._absolute(path)))

    def read(self, path: str, limit: int) -> bytes:
        """Read the content of a file.

        Raises:
            DocumentTooLargeError: the file has more than `limit` bytes. It is not read to its end.
            OSError: the file cannot be read.
        """
        with raise_os_errors(), self.file_system.open(self._absolute(path), "rb") as file:
            return read_limited(file, limit)

    def hash(self, path: str, limit: int) -> str:
        """A hash of the first `limit` + 1 bytes of a file.

        It is the version of a file for which the storage states none.
        """
        with raise_os_errors(), self.file_system.open(self._absolute(path), "rb") as file:
            return hash_bytes(file.read(limit + 1)).hex()

    def _absolute(self, path: str) -> str:
        return "/".join(part for part in (self.root.rstrip("/"), path) if part)

    def _relative(self, name: str) -> str:
        return name[len(self.root.rstrip("/")) :].lstrip("/") if self.root else name


def open_storage(settings: StorageSettings) -> FileStorage:
    """Open the storage of a source's `uri`, without cached listings.

    Raises:
        OSError: the storage cannot be opened.
        ImportError: the package for this storage is not installed.
        SourceUnavailableError: the environment variable of a secret is not set.
    """
    import fsspec  # takes 0.1 s; a process that only reads the configuration does not need it

    with raise_os_errors():
        file_system, root = fsspec.core.url_to_fs(settings.uri, **settings.storage_options)
    if "::" in settings.uri:
        root = root.removesuffix("*").rstrip("/")
    return FileStorage(file_system, root, read_protocol(settings.uri) in FLAT_PROTOCOLS)


@contextmanager
def open_stored_file(settings: StorageSettings) -> Iterator[BinaryIO]:
    """Open the file at a source's `uri` for a `with` block.

    If the suffix is that of a compressed file, the content is decompressed. The errors are those of
    `open_storage`. OSError can also be raised while the block reads the file.
    """
    import fsspec

    if settings.local_path is not None and settings.local_path.exists():
        open_regular_file(settings.local_path).close()
    with raise_os_errors():
        options = settings.storage_options
        with fsspec.open(settings.uri, "rb", compression="infer", **options) as file:
            yield cast("BinaryIO", file)


def open_regular_file(path: Path) -> BinaryIO:
    """Open a file of this machine for reading.

    Raises:
        OSError: the file cannot be read, or it is not a regular file. A pipe, a socket or a device
            could block the caller or have no end.
    """
    # With O_NONBLOCK, opening a pipe does not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a regular file", str(path))
    return open(descriptor, "rb")  # noqa: PTH123  the caller closes it


@contextmanager
def raise_os_errors() -> Iterator[None]:
    """Raise OSError in place of the errors of storages, which have no common class.

    ImportError and the errors of Ragline are not replaced.
    """
    try:
        yield
    except (OSError, ImportError, SourceUnavailableError, DocumentTooLargeError):
        raise
    except Exception as error:
        raise OSError(str(error) or type(error).__name__) from error


def read_limited(file: BinaryIO, limit: int) -> bytes:
    """Read an open file to its end.

    Raises:
        DocumentTooLargeError: the file has more than `limit` bytes. It is not read to its end.
    """
    size = getattr(file, "size", None)
    is_large = isinstance(size, int) and size > limit
    content = b"" if is_large else file.read(limit + 1)
    if is_large or len(content) > limit:
        raise DocumentTooLargeError(f"the file is larger than {limit} bytes")
    return content


def read_version(details: dict[str, Any]) -> str | None:
    """The version in the details of a file, or None if they contain no suitable value."""
    tag = next((str(details[key]) for key in TAG_KEYS if details.get(key)), None)
    stamps = [str(details[key]) for key in STAMP_KEYS if details.get(key)]
    if tag is None and stamps:
        return "-".join((str(details.get("size")), *stamps))
    return tag


def make_unavailable_error(
    settings: LocatedSettings, failure: str, error: Exception
) -> SourceUnavailableError:
    """Make the error of a source at a `uri`.

    The message says what failed and why. It contains no secrets.
    """
    location = getattr(error, "filename", None) or settings.uri
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    extra = EXTRAS.get(read_protocol(settings.uri.rpartition("::")[2]))
    if isinstance(error, ImportError) and extra is not None:
        reason = f"a package is not installed; install the extra: pip install 'ragline[{extra}]'"
    message = f"source {settings.name}: {location} {failure}: {' '.join(reason.split())}"
    return SourceUnavailableError(_without_secrets(settings, message))


def _without_secrets(settings: LocatedSettings, message: str) -> str:
    for secret in filter(None, map(os.environ.get, settings.credentials.values())):
        message = message.replace(secret, "***")
    return re.sub(r"://[^/@\s]*@", "://", message)
