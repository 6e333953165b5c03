"""What a connector says of a file, as what Ragline knows of a document.

Connectors describe files by `FileData` of unstructured-ingest, which is taken as it is given and
never trusted to be complete. How they are run is `connection`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ragline.errors import PermissionsUnavailableError
from ragline.fingerprints import fingerprint
from ragline.sources.json_values import json_value
from ragline.sources.protocol import ListedDocument
from ragline.sources.timestamps import read_timestamp
from ragline.storable_text import clean_value

if TYPE_CHECKING:
    from unstructured_ingest.data_types.file_data import FileData, FileDataSourceMetadata

# These name the readers of every file, so one without them is a request that failed.
NAMING_READERS = frozenset({"confluence", "google_drive", "onedrive", "sharepoint"})
# It answers a failed request with fewer readers, which cannot be told from a revocation.
UNTRUSTED = frozenset({"box"})
PREFIXES = {"users": "user:", "groups": "group:", "access_classes": "access-class:"}


def name_files(found: Iterable[FileData]) -> Iterator[tuple[str, FileData]]:
    """Every file with a document id: its path, or its identifier where it has none.

    Files that share a path, which some storages allow, have their identifier behind it.
    """
    paths = [(_path_of(file_data), file_data) for file_data in found]
    counts = Counter(path for path, _ in paths)
    for path, file_data in paths:
        unique = path if counts[path] == 1 else f"{path} ({file_data.identifier})"
        yield clean_value(unique), file_data


def describe_file(
    document_id: str, file_data: FileData, *, use_permissions: bool
) -> ListedDocument:
    """A file as it is listed. Its version changes with its readers too."""
    metadata = file_data.metadata
    return ListedDocument(
        document_id=document_id,
        version=fingerprint(
            {"content": _stamp(metadata), "readers": _spell_readers(file_data, use_permissions)}
        ),
        size_bytes=metadata.filesize_bytes,
        changed_at=read_timestamp(metadata.date_modified),
    )


def read_metadata(file_data: FileData) -> dict[str, Any]:
    """The file's name and URL, and what the connector locates it by, as far as that is flat."""
    located = {
        name: value
        for name, value in (file_data.metadata.record_locator or {}).items()
        if isinstance(value, str | int | float | bool)
    }
    names = file_data.source_identifiers
    url = file_data.metadata.url
    own = {
        "connector": file_data.connector_type,
        "filename": None if names is None else names.filename,
        "url": None if url is None else re.sub(r"://[^/@\s]*@", "://", url),
    }
    known = {name: value for name, value in own.items() if value}
    readable: dict[str, Any] = json_value({**located, **known})
    return readable


def read_principals(file_data: FileData) -> tuple[str, ...] | None:
    """Who may read a file: `user:…`, `group:…` and `access-class:…` with the source's own ids.

    None when the connector never says, which leaves it to the source's settings.

    Raises:
        PermissionsUnavailableError: the connector names readers, and not this time or not in a
            form that is understood. Neither a revocation nor everybody's right follows from that.
    """
    stated = file_data.metadata.permissions_data
    connector = file_data.connector_type
    if connector in UNTRUSTED:
        raise _unavailable(connector, "it does not tell a failed request from a revocation")
    if stated is None and connector in NAMING_READERS:
        raise _unavailable(connector, "it could not be had this time")
    if stated is None or _is_file_mode(stated):
        return None
    readings = [entry["read"] for entry in stated if "read" in entry]
    if len(readings) != 1 or not _is_understood(readings[0]):
        raise _unavailable(connector, "it comes in a form that is not understood")
    return tuple(
        sorted(
            clean_value(f"{PREFIXES[bucket]}{principal}")
            for bucket, principals in readings[0].items()
            for principal in set(principals)
        )
    )


def _is_file_mode(stated: list[dict[str, Any]]) -> bool:
    """Whether all that is said is a mode of Unix or Git, which names nobody."""
    return stated != [] and all(entry.keys() == {"mode"} for entry in stated)


def _is_understood(reading: Any) -> bool:
    """Whether it is of the form {"users": [id, …], "groups": […], "access_classes": […]}."""
    return isinstance(reading, Mapping) and all(
        bucket in PREFIXES
        and isinstance(principals, list)
        and all(isinstance(principal, str) and principal for principal in principals)
        for bucket, principals in reading.items()
    )


def _unavailable(connector: str, reason: str) -> PermissionsUnavailableError:
    return PermissionsUnavailableError(
        f"who may read this is not known from the connector {connector}: {reason}; mend its "
        "access, or set use_permissions: false and state principals in the configuration"
    )


def _path_of(file_data: FileData) -> str:
    names = file_data.source_identifiers
    path = None if names is None else names.rel_path or names.fullpath
    return (path or "").lstrip("/") or str(file_data.identifier)


def _stamp(metadata: FileDataSourceMetadata) -> list[Any]:
    """What changes with the content; where the file lies, if the connector tells nothing else."""
    told = [metadata.version, metadata.date_modified]
    return [*told, metadata.filesize_bytes] if any(told) else [json_value(metadata.record_locator)]


def _spell_readers(file_data: FileData, use_permissions: bool) -> list[str] | str | None:
    if not use_permissions:
        return None
    try:
        principals = read_principals(file_data)
    except PermissionsUnavailableError:
        return "not known"
    return None if principals is None else list(principals)
