"""The parts of unstructured-ingest: found by their type, set up, and run.

Only a connector's indexer and downloader are run, by plain calls in this process. The package's
pipeline, which alone could send traces to anybody and changes the log's handlers, is not used.
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
    """The bytes of a file, and the name that the connector gave it, which tells its type."""

    content: bytes
    name: str


class Connection:
    """A connector with its settings and secrets. Nothing is asked before it is used.

    Raises:
        SourceUnavailableError: from every method too: the connector cannot be used, or failed.
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
        """Every file, in the connector's order.

        Some connectors log an error, leave a file out and go on; that is an unfinished listing.
        """
        with self._failures("cannot be listed"), _logged_errors() as errors:
            config = _set_up(self._entry.indexer_config, self._settings.index, "index")
            _refuse_missing_folder(self._settings)
            indexer = self._entry.indexer(connection_config=self._connection, index_config=config)
            indexer.precheck()
            files = _run_indexer(indexer)
            _refuse_batches(files)
            _refuse_cut_spaces(files, config)
            if errors:
                raise OSError(f"it left something out: {errors[0]}")
        return files

    def open_downloader(self) -> Downloader:
        """What downloads files, one after the other."""
        with self._failures("cannot be read"):
            config = _set_up(self._entry.downloader_config, self._settings.download, "download")
            downloader = self._entry.downloader(
                connection_config=self._connection, download_config=config
            )
            downloader.precheck()
        return downloader

    def download(self, downloader: Downloader, file_data: FileData, folder: Path) -> DownloadedFile:
        """The bytes of one file, by way of an empty folder.

        Raises:
            DocumentError: it is larger than the source's limit, or could not be had.
        """
        with self._failures("cannot be read"):
            try:
                _refuse_way_out(file_data)
                downloader.download_config.download_dir = folder
                path = _run_downloader(downloader, file_data)
                with path.open("rb") as file:
                    limit = self._settings.max_document_bytes
                    return DownloadedFile(read_limited(file, limit), path.name)
            except RaglineError:
                raise
            except Exception as error:
                if _missing_package(error) is not None:
                    raise
                reason = self._without_secrets(_reason(error))
                raise DocumentUnreadableError(f"cannot be downloaded: {reason}") from error

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Name the connector in what goes wrong. Their errors have no class in common."""
        place = f"source {self._settings.name}: the connector {self._settings.connector}"
        try:
            yield
        except RaglineError:
            raise
        except Exception as error:
            missing = _missing_package(error)
            reason = _reason(error) if missing is None else self._what_to_install(missing)
            message = self._without_secrets(f"{place} {what}: {reason}")
            raise SourceUnavailableError(message) from error

    def _what_to_install(self, missing: ImportError) -> str:
        if (missing.name or "").partition(".")[0] == PACKAGE:
            return "install the extra: pip install 'ragline[connectors]'"
        extra = self._settings.connector.replace("_", "-")
        return f"it needs more: pip install '{PACKAGE_TO_INSTALL}[{extra}]' ({missing})"

    def _without_secrets(self, message: str) -> str:
        for secret in filter(None, map(os.environ.get, self._settings.credentials.values())):
            for written in (secret, " ".join(secret.split())):
                message = message.replace(written, "***")
        return re.sub(r"://[^/@\s]*@", "://", message)


def _find_entry(connector: str) -> SourceRegistryEntry:
    # The package is the extra `connectors`, and takes half a second that processes which only
    # read the configuration need not pay. The first import fills the second one's registry.
    import unstructured_ingest.processes.connectors  # noqa: F401
    from unstructured_ingest.processes.connector_registry import source_registry

    if connector not in source_registry:
        known = ", ".join(sorted(source_registry))
        raise LookupError(f"there is none of this type; known: {known}")
    return source_registry[connector]


def _set_up(model: type[BaseModel] | None, stated: Mapping[str, Any], part: str) -> Any:
    """The settings of one part. The package would ignore what it does not know."""
    allowed = {} if model is None else model.model_fields
    names = {*allowed, *(field.alias for field in allowed.values() if field.alias)}
    for name in stated:
        if name not in names and not (name == "access_config" and not stated[name]):
            shown = ", ".join(sorted(names - {"access_config", "download_dir"})) or "none"
            raise LookupError(f"{part}: unknown setting {name!r}; allowed: {shown}")
    if model is None:
        return None
    try:
        return model.model_validate(dict(stated))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in fault["loc"])
        place = place.replace("access_config", "credentials")
        raise LookupError(f"{part}: {place}: {fault['msg']}") from None


def _run_indexer(indexer: Indexer) -> list[FileData]:
    return asyncio.run(_collect(indexer.run_async())) if indexer.is_async() else [*indexer.run()]


async def _collect(found: AsyncIterator[FileData]) -> list[FileData]:
    return [file_data async for file_data in found]


def _run_downloader(downloader: Downloader, file_data: FileData) -> Path:
    """Where the file itself was put; what comes beside it, such as attachments, is left."""
    from unstructured_ingest.interfaces import Downloader as PlainDownloader

    # Those without an asynchronous way of their own would call the plain one inside a loop.
    is_plain = type(downloader).run_async is PlainDownloader.run_async or not downloader.is_async()
    if is_plain:
        answer = downloader.run(file_data=file_data)
    else:
        answer = asyncio.run(downloader.run_async(file_data=file_data))
    responses = answer if isinstance(answer, list) else [answer]
    own = [
        response["path"]
        for response in responses
        if response and response["file_data"].identifier == file_data.identifier
    ]
    if not own:
        raise FileNotFoundError("the connector handed over no file")
    return Path(own[0])


def _refuse_batches(files: list[FileData]) -> None:
    from unstructured_ingest.data_types.file_data import BatchFileData

    if any(isinstance(file_data, BatchFileData) for file_data in files):
        raise NotImplementedError(
            "it hands over rows in batches, which cannot be followed one by one; use the kind sql "
            "where that reaches them"
        )


def _refuse_cut_spaces(files: list[FileData], config: Any) -> None:
    """Confluence stops silently at so many pages of a space, a hundred unless told otherwise."""
    limit = getattr(config, "max_num_of_docs_from_each_space", None)
    if limit is not None:
        spaces = Counter((file.metadata.record_locator or {}).get("space_id") for file in files)
        full = [str(space) for space, count in spaces.items() if count >= limit]
        if full:
            raise OverflowError(
                f"the space {full[0]} has {limit} documents or more; raise "
                "max_num_of_docs_from_each_space under index above what it has"
            )


def _refuse_missing_folder(settings: ConnectorSettings) -> None:
    """The connector `local` lists a folder that is not there as an empty one."""
    folder = settings.index.get("input_path")
    if settings.connector == LOCAL and isinstance(folder, str) and not Path(folder).exists():
        raise FileNotFoundError(f"there is nothing at {folder}")


def _refuse_way_out(file_data: FileData) -> None:
    """A path of a source is a place below the download's folder, or it is not taken."""
    names = file_data.source_identifiers
    if names is not None and ".." in PurePosixPath(names.relative_path).parts:
        raise ValueError("its path leads out of the folder")


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """The errors that the package logs within the block, but those about permissions."""
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
        """Keep a message. A failed request for permissions costs one document and no listing."""
        message = record.getMessage()
        if "permission" not in message.lower():
            self.messages.append(message)


def _missing_package(error: BaseException | None) -> ImportError | None:
    """The import that failed, if that is behind an error: connectors like to wrap it."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__ or error.__context__
    return error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
