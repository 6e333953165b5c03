"""The source of kind `connector`: the files that a connector of unstructured-ingest reaches.

The indexer describes each file, and the downloader needs this description. The download can run
in another process. So a listing saves the descriptions in the state of the source.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragline.errors import DocumentError, DocumentTooLargeError, DocumentUnreadableError
from ragline.sources.connector.connection import Connection
from ragline.sources.connector.file_data import (
    describe_file,
    name_files,
    read_metadata,
    read_principals,
)
from ragline.sources.connector.settings import ConnectorSettings
from ragline.sources.files.ignored_files import IgnoredFiles
from ragline.sources.json_values import json_value
from ragline.sources.protocol import (
    FailedFetch,
    FetchedDocument,
    FetchResult,
    ListedDocument,
    SourceContext,
)

if TYPE_CHECKING:
    from unstructured_ingest.data_types.file_data import FileData
    from unstructured_ingest.interfaces import Downloader

# Keys of the saved state.
PROBE = "probe"
DOCUMENT_PREFIX = "document:"


class ConnectorSource:
    """A source whose documents are the files that a connector reaches."""

    def __init__(self, settings: ConnectorSettings, context: SourceContext) -> None:
        self._settings = settings
        self._folder = context.folder
        self._state = context.state
        self._ignored = IgnoredFiles(settings.ignore_files)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file, after the connector has listed all of them.

        Raises:
            SourceUnavailableError: the connector cannot be used, it failed, or it left files out.
        """
        yield from self._list()

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the named files. They are downloaded one after another.

        Raises:
            SourceUnavailableError: the connector cannot be used at all.
        """
        connection = Connection(self._settings)
        downloader = connection.open_downloader()
        for document_id in document_ids:
            try:
                result: FetchResult = self._fetch(connection, downloader, document_id)
            except DocumentError as error:
                result = FailedFetch(document_id, error)
            yield result

    def probe(self) -> str:
        """A hash of the ids and versions in a listing.

        If the last listing is older than `list_every`, or if the connector is `local`, the source
        is listed again. Otherwise the hash of the last listing is returned.

        Raises:
            SourceUnavailableError: as in `list_documents`.
        """
        saved = self._state.read(PROBE)
        if saved is None or self._settings.is_local or self._is_old(saved["listed_at"]):
            return _hash(self._list())
        return str(saved["hash"])

    def ignores(self, document_id: str) -> bool:
        """Whether listings leave out a file that a program created for its own use."""
        return self._ignored.ignores(document_id)

    def _is_old(self, listed_at: str) -> bool:
        age = datetime.now(UTC) - datetime.fromisoformat(listed_at)
        return age >= self._settings.list_every

    def _list(self) -> list[ListedDocument]:
        found = name_files(Connection(self._settings).list_files())
        files = {name: file_data for name, file_data in found if not self.ignores(name)}
        use_permissions = self._settings.use_permissions
        listed = [
            describe_file(document_id, file_data, use_permissions=use_permissions)
            for document_id, file_data in files.items()
        ]
        self._save_listing(files, _hash(listed))
        return listed

    def _save_listing(self, files: Mapping[str, FileData], probe: str) -> None:
        saved = self._state.read_all()
        values = {
            DOCUMENT_PREFIX + document_id: _encode_file_data(file)
            for document_id, file in files.items()
        }
        values[PROBE] = {"hash": probe, "listed_at": datetime.now(UTC).isoformat()}
        self._state.write_all(
            {key: value for key, value in values.items() if saved.get(key) != value}
        )
        self._state.delete_others(values)

    def _fetch(
        self, connection: Connection, downloader: Downloader, document_id: str
    ) -> FetchedDocument:
        file_data = self._read_file_data(document_id)
        principals = read_principals(file_data) if self._settings.use_permissions else None
        limit = self._settings.max_document_bytes
        if (file_data.metadata.filesize_bytes or 0) > limit:
            raise DocumentTooLargeError(f"the file is larger than {limit} bytes")
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            file = connection.download(downloader, file_data, Path(folder))
        return FetchedDocument(
            document_id=document_id,
            content=file.content,
            name=file.name,
            metadata=read_metadata(file_data),
            principals=principals,
        )

    def _read_file_data(self, document_id: str) -> FileData:
        # This package belongs to the extra `connectors`. It is installed, because a connection is
        # open.
        from unstructured_ingest.data_types.file_data import FileData

        saved = self._state.read(DOCUMENT_PREFIX + document_id)
        if saved is None:
            raise DocumentUnreadableError("it is not in the last listing")
        return FileData.model_validate(saved)


def _encode_file_data(file_data: FileData) -> dict[str, Any]:
    """The description of a file as JSON, without the time at which it was made."""
    encoded: dict[str, Any] = json_value(file_data.model_dump(mode="json"))
    encoded["metadata"].pop("date_processed", None)
    return encoded


def _hash(listed: Iterable[ListedDocument]) -> str:
    digest = hashlib.sha256()
    for document in sorted(listed, key=lambda document: document.document_id):
        digest.update(f"{document.document_id}\0{document.version}\n".encode())
    return digest.hexdigest()
