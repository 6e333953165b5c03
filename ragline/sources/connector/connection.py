"""Finds, configures and runs the parts of a connector of unstructured-ingest.

A connector has an indexer, which lists files, and a downloader. Both run as calls in this process.
The pipeline of the package is not used, because it can send traces to a server and because it
changes the log handlers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ragline.errors import DocumentUnreadableError, RaglineError, SourceUnavailableError
from ragline.sources.connector.settings import LOCAL, ConnectorSettings
from ragline.sources.files.storage import read_limited

if TYPE_CHECKING:
    from unstructured_ingest.data_types.file_data import FileData
    from unstructured_ingest.interfaces import Downloader, Indexer
    from unstructured_ingest.processes.connector_registry import SourceRegistryEntry

PACKAGE = "unstructured_ingest"
PACKAGE_TO_INSTALL = "unstructured-ingest"


@dataclass(frozen=True)
class DownloadedFile:
    """The bytes of a file, and its name. The suffix of the name helps to find the format."""

    content: bytes
    name: str


class Connection:
    """A connector with its settings and secrets. It sends no request before a method is called.

    Raises:
        SourceUnavailableError: the connector cannot be used, or it failed. The constructor and
            every method raise this error.
    """

    def __init__(self, settings: ConnectorSettings) -> None:
        self._settings = settings
        with self._failures("cannot be used"):
            self._entry = _find_entry(settings.connector)
            secrets = settings.read_credentials()
            self._connection = _set_up(
                self._entry.connection_config,
                {**settings.connection, "access_config": secrets},
                "connection",
            )

    def list_files(self) -> list[FileData]:
        """List every file, in the order of the connector.

        Some connectors log an error, leave a file out and continue. Such a listing is incomplete,
        so it fails.
        """
        with self._failures("cannot be listed"), _logged_errors() as errors:
            config = _set_up(self._entry.indexer_config, self._settings.index, "index")
            _refuse_missing_folder(self._settings)
            indexer = self._entry.indexer(connection_config=self._connection, index_config=config)
            indexer.precheck()
            files = _run_indexer(indexer)
            _refuse_batches(files)
            _refuse_truncated_spaces(files, config)
            if errors:
                raise OSError(f"it left files out: {errors[0]}")
        return files

    def open_downloader(self) -> Downloader:
        """Make the downloader of the connector. It downloads one file at a time."""
        with self._failures("cannot be read"):
            config = _set_up(self._entry.downloader_config, self._settings.download, "download")
            downloader = self._entry.downloader(
                connection_config=self._connection, download_config=config
            )
            downloader.precheck()
        return downloader

    def download(self, downloader: Downloader, file_data: FileData, folder: Path) -> DownloadedFile:
        """Download one file into an empty folder, and return its bytes and its name.

        Raises:
            DocumentError: the file is larger than the limit of the source, or it could not be
                downloaded.
        """
        with self._failures("cannot be read"):
            try:
                _refuse_outside_path(file_data)
                downloader.download_config.download_dir = folder
                path = _run_downloader(downloader, file_data)
                with path.open("rb") as file:
                    limit = self._settings.max_document_bytes
                    return DownloadedFile(read_limited(file, limit), path.name)
            except RaglineError:
                raise
            except Exception as error:
                if _find_import_error(error) is not None:
                    raise
                reason = self._without_secrets(_describe_error(error))
                raise DocumentUnreadableError(f"cannot be downloaded: {reason}") from error

    @contextmanager
    def _failures(self, failure: str) -> Iterator[None]:
        """Raise SourceUnavailableError for each error of a `with` block.

        The message names the source. The errors of connectors have no common class. The errors of
        Ragline are raised unchanged.
        """
        prefix = f"source {self._settings.name}: the connector {self._settings.connector}"
        try:
            yield
        except RaglineError:
            raise
        except Exception as error:
            missing = _find_import_error(error)
            reason = _describe_error(error) if missing is None else self._suggest_package(missing)
            message = self._without_secrets(f"{prefix} {failure}: {reason}")
            raise SourceUnavailableError(message) from error

    def _suggest_package(self, missing: ImportError) -> str:
        if (missing.name or "").partition(".")[0] == PACKAGE:
            return "install the extra: pip install 'ragline[connectors]'"
        extra = self._settings.connector.replace("_", "-")
        return f"install its packages: pip install '{PACKAGE_TO_INSTALL}[{extra}]' ({missing})"

    def _without_secrets(self, message: str) -> str:
        for secret in filter(None, map(os.environ.get, self._settings.credentials.values())):
            for text in (secret, " ".join(secret.split())):
                message = message.replace(text, "***")
        return re.sub(r"://[^/@\s]*@", "://", message)


def _find_entry(connector: str) -> SourceRegistryEntry:
    # The package belongs to the extra `connectors`. Its import takes half a second. A process that
    # only reads the configuration does not need it. The first import fills the registry of the
    # second one.
    import unstructured_ingest.processes.connectors  # noqa: F401
    from unstructured_ingest.processes.connector_registry import source_registry

    if connector not in source_registry:
        known = ", ".join(sorted(source_registry))
        raise LookupError(f"there is no connector of this type; known: {known}")
    return source_registry[connector]


def _set_up(model: type[BaseModel] | None, values: Mapping[str, Any], part: str) -> Any:
    """Check the settings of one part of a connector. Return them as an object of `model`.

    The package would ignore unknown names, so they are refused here.

    Raises:
        LookupError: a name is unknown, or a value is invalid.
    """
    allowed = {} if model is None else model.model_fields
    names = {*allowed, *(field.alias for field in allowed.values() if field.alias)}
    for name in values:
        if name not in names and not (name == "access_config" and not values[name]):
            shown = ", ".join(sorted(names - {"access_config", "download_dir"})) or "none"
            raise LookupError(f"{part}: unknown setting {name!r}; allowed: {shown}")
    if model is None:
        return None
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in details["loc"])
        path = path.replace("access_config", "credentials")
        raise LookupError(f"{part}: {path}: {details['msg']}") from None


def _run_indexer(indexer: Indexer) -> list[FileData]:
    return asyncio.run(_collect(indexer.run_async())) if indexer.is_async() else [*indexer.run()]


async def _collect(found: AsyncIterator[FileData]) -> list[FileData]:
    return [file_data async for file_data in found]


def _run_downloader(downloader: Downloader, file_data: FileData) -> Path:
    """Download a file and return its path.

    Further downloaded files, such as attachments, are ignored.
    """
    from unstructured_ingest.interfaces import Downloader as BaseDownloader

    # A downloader without its own `run_async` is called directly. Otherwise it would call `run`
    # inside an event loop.
    is_synchronous = (
        type(downloader).run_async is BaseDownloader.run_async or not downloader.is_async()
    )
    if is_synchronous:
        answer = downloader.run(file_data=file_data)
    else:
        answer = asyncio.run(downloader.run_async(file_data=file_data))
    responses = answer if isinstance(answer, list) else [answer]
    paths = [
        response["path"]
        for response in responses
        if response and response["file_data"].identifier == file_data.identifier
    ]
    if not paths:
        raise FileNotFoundError("the connector returned no file")
    return Path(paths[0])


def _refuse_batches(files: list[FileData]) -> None:
    from unstructured_ingest.data_types.file_data import BatchFileData

    if any(isinstance(file_data, BatchFileData) for file_data in files):
        raise NotImplementedError(
            "it returns rows in batches, whose rows cannot be listed one by one; use the kind sql "
            "if it supports the database"
        )


def _refuse_truncated_spaces(files: list[FileData], config: Any) -> None:
    """Refuse a listing of Confluence that can be incomplete.

    The connector returns at most a certain number of pages of each space, by default 100. It raises
    no error if there are more.
    """
    limit = getattr(config, "max_num_of_docs_from_each_space", None)
    if limit is not None:
        spaces = Counter((file.metadata.record_locator or {}).get("space_id") for file in files)
        full = [str(space) for space, count in spaces.items() if count >= limit]
        if full:
            raise OverflowError(
                f"the space {full[0]} has {limit} documents or more; raise "
                "max_num_of_docs_from_each_space under index above that number"
            )


def _refuse_missing_folder(settings: ConnectorSettings) -> None:
    """Refuse a missing folder of the connector `local`.

    The connector would list it like an empty folder.
    """
    folder = settings.index.get("input_path")
    if settings.connector == LOCAL and isinstance(folder, str) and not Path(folder).exists():
        raise FileNotFoundError(f"the folder {folder} does not exist")


def _refuse_outside_path(file_data: FileData) -> None:
    """Refuse a file whose path is outside the download folder."""
    names = file_data.source_identifiers
    if names is not None and ".." in PurePosixPath(names.relative_path).parts:
        raise ValueError("its path is outside the download folder")


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """Collect the errors that the package logs during a `with` block.

    Errors about permissions are left out.
    """
    handler = _ErrorCollector()
    logger = logging.getLogger(PACKAGE)
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


class _ErrorCollector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store a message.

        A message about permissions is left out, because it affects one document and not the
        listing.
        """
        message = record.getMessage()
        if "permission" not in message.lower():
            self.messages.append(message)


def _find_import_error(error: BaseException | None) -> ImportError | None:
    """The ImportError that caused an error, or None if there was no ImportError.

    Connectors often wrap an ImportError in another error.
    """
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__ or error.__context__
    return error


def _describe_error(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
