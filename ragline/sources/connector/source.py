"""Files behind a connector as a source: listing, reading, probing.

What a listing found is kept in the source's notes, because a connector downloads what its indexer
described, and whoever reads may be another process.
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
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument, SourceContext

if TYPE_CHECKING:
    from unstructured_ingest.data_types.file_data import FileData
    from unstructured_ingest.interfaces import Downloader

PROBE = "probe"
DOCUMENT = "document:"


class ConnectorSource:
    """The files that a connector of unstructured-ingest reaches."""

    def __init__(self, settings: ConnectorSettings, context: SourceContext) -> None:
        self._settings = settings
        self._home = context.home
        self._notes = context.notes
        self._ignored = IgnoredFiles(settings.ignore_files)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file, once the connector has come to its end.

        Raises:
            SourceUnavailableError: the connector cannot be used, failed, or left something out.
        """
        yield from self._list()

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named files, one download after the other.

        Raises:
            SourceUnavailableError: the connector cannot be used at all.
        """
        connection = Connection(self._settings)
        downloader = connection.open_downloader()
        for document_id in document_ids:
            try:
                answer: FetchedDocument | FailedFetch = self._fetch(
                    connection, downloader, document_id
                )
            except DocumentError as error:
                answer = FailedFetch(document_id, error)
            yield answer

    def probe(self) -> str:
        """A hash of the listing, or that of the last one while `list_every` has not passed.

        Raises:
            SourceUnavailableError: as for a listing.
        """
        note = self._notes.read(PROBE)
        if note is None or self._settings.is_local or self._is_old(note["listed_at"]):
            return _hash(self._list())
        return str(note["hash"])

    def ignores(self, document_id: str) -> bool:
        """Whether a file of this id is never listed, as tools leave it for themselves."""
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
        self._remember(files, _hash(listed))
        return listed

    def _remember(self, files: Mapping[str, FileData], probe: str) -> None:
        known = self._notes.read_all()
        notes = {DOCUMENT + document_id: _spell(file) for document_id, file in files.items()}
        notes[PROBE] = {"hash": probe, "listed_at": datetime.now(UTC).isoformat()}
        self._notes.write_all(
            {key: value for key, value in notes.items() if known.get(key) != value}
        )
        self._notes.keep_only(notes)

    def _fetch(
        self, connection: Connection, downloader: Downloader, document_id: str
    ) -> FetchedDocument:
        file_data = self._recall(document_id)
        principals = read_principals(file_data) if self._settings.use_permissions else None
        limit = self._settings.max_document_bytes
        if (file_data.metadata.filesize_bytes or 0) > limit:
            raise DocumentTooLargeError(f"the file is larger than {limit} bytes")
        self._home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._home) as folder:
            file = connection.download(downloader, file_data, Path(folder))
        return FetchedDocument(
            document_id=document_id,
            content=file.content,
            name=file.name,
            metadata=read_metadata(file_data),
            principals=principals,
        )

    def _recall(self, document_id: str) -> FileData:
        # The package is the extra `connectors`; a connection was opened before.
        from unstructured_ingest.data_types.file_data import FileData

        note = self._notes.read(DOCUMENT + document_id)
        if note is None:
            raise DocumentUnreadableError("it is not in the last listing")
        return FileData.model_validate(note)


def _spell(file_data: FileData) -> dict[str, Any]:
    """A description as a note, without the moment at which it was made."""
    spelled: dict[str, Any] = json_value(file_data.model_dump(mode="json"))
    spelled["metadata"].pop("date_processed", None)
    return spelled


def _hash(listed: Iterable[ListedDocument]) -> str:
    digest = hashlib.sha256()
    for document in sorted(listed, key=lambda document: document.document_id):
        digest.update(f"{document.document_id}\0{document.version}\n".encode())
    return digest.hexdigest()
