"""Converts the `FileData` of a connector to a listed document, metadata and principals.

`FileData` is the description of a file in unstructured-ingest. Any part of it can be missing.
`connection` runs the connectors.
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

# Connectors that state the principals of every file. If a file has none, a request has failed.
STATING_PRINCIPALS = frozenset({"confluence", "google_drive", "onedrive", "sharepoint"})
# Connectors that state fewer principals after a failed request. This looks like a revocation.
UNRELIABLE = frozenset({"box"})
# The prefix of a principal by the kind of permission in `FileData`.
PREFIXES = {"users": "user:", "groups": "group:", "access_classes": "access-class:"}


def name_files(found: Iterable[FileData]) -> Iterator[tuple[str, FileData]]:
    """Yield every file with its document id.

    The id is the path of the file. If the file has no path, it is the identifier in the connector.
    If several files have the same path, the identifier is added to each of their ids.
    """
    paths = [(_read_path(file_data), file_data) for file_data in found]
    counts = Counter(path for path, _ in paths)
    for path, file_data in paths:
        unique = path if counts[path] == 1 else f"{path} ({file_data.identifier})"
        yield clean_value(unique), file_data


def describe_file(
    document_id: str, file_data: FileData, *, use_permissions: bool
) -> ListedDocument:
    """The listed document of a file.

    With `use_permissions`, its version also changes if its principals change.
    """
    metadata = file_data.metadata
    return ListedDocument(
        document_id=document_id,
        version=fingerprint(
            {
                "content": _describe_content(metadata),
                "readers": _describe_principals(file_data, use_permissions),
            }
        ),
        size_bytes=metadata.filesize_bytes,
        changed_at=read_timestamp(metadata.date_modified),
    )


def read_metadata(file_data: FileData) -> dict[str, Any]:
    """The metadata of a file: its name, its URL, the connector, and its locator.

    The locator has the values by which the connector finds the file. Lists and mappings in the
    locator are left out.
    """
    located = {
        name: value
        for name, value in (file_data.metadata.record_locator or {}).items()
        if isinstance(value, str | int | float | bool)
    }
    names = file_data.source_identifiers
    url = file_data.metadata.url
    described = {
        "connector": file_data.connector_type,
        "filename": None if names is None else names.filename,
        "url": None if url is None else re.sub(r"://[^/@\s]*@", "://", url),
    }
    known = {name: value for name, value in described.items() if value}
    readable: dict[str, Any] = json_value({**located, **known})
    return readable


def read_principals(file_data: FileData) -> tuple[str, ...] | None:
    """The principals that may find a file: `user:…`, `group:…` and `access-class:…`.

    The id after the prefix is that of the source. The result is None if the connector never states
    permissions. Then the settings of the source decide.

    Raises:
        PermissionsUnavailableError: the connector states permissions for other files, but it states
            none for this file, or it states them in an unknown form. The principals of the file
            must not change then.
    """
    permissions = file_data.metadata.permissions_data
    connector = file_data.connector_type
    if connector in UNRELIABLE:
        raise _make_permissions_error(connector, "a failed request looks like a revocation")
    if permissions is None and connector in STATING_PRINCIPALS:
        raise _make_permissions_error(connector, "the connector did not return it this time")
    if permissions is None or _is_file_mode(permissions):
        return None
    grants = [entry["read"] for entry in permissions if "read" in entry]
    if len(grants) != 1 or not _is_valid_grant(grants[0]):
        raise _make_permissions_error(connector, "it has an unknown form")
    return tuple(
        sorted(
            clean_value(f"{PREFIXES[bucket]}{principal}")
            for bucket, principals in grants[0].items()
            for principal in set(principals)
        )
    )


def _is_file_mode(permissions: list[dict[str, Any]]) -> bool:
    """Whether the permissions only state a mode of Unix or Git. A mode names no principals."""
    return permissions != [] and all(entry.keys() == {"mode"} for entry in permissions)


def _is_valid_grant(grant: Any) -> bool:
    """Whether a grant has the form {"users": [id, …], "groups": […], "access_classes": […]}."""
    return isinstance(grant, Mapping) and all(
        bucket in PREFIXES
        and isinstance(principals, list)
        and all(isinstance(principal, str) and principal for principal in principals)
        for bucket, principals in grant.items()
    )


def _make_permissions_error(connector: str, reason: str) -> PermissionsUnavailableError:
    return PermissionsUnavailableError(
        f"the connector {connector} does not say who may read this: {reason}; repair its access, "
        "or set use_permissions: false and state principals in the configuration"
    )


def _read_path(file_data: FileData) -> str:
    names = file_data.source_identifiers
    path = None if names is None else names.rel_path or names.fullpath
    return (path or "").lstrip("/") or str(file_data.identifier)


def _describe_content(metadata: FileDataSourceMetadata) -> list[Any]:
    """Values that change with the content of a file.

    The locator is used if the connector states neither a version nor a time of change.
    """
    values = [metadata.version, metadata.date_modified]
    return (
        [*values, metadata.filesize_bytes] if any(values) else [json_value(metadata.record_locator)]
    )


def _describe_principals(file_data: FileData, use_permissions: bool) -> list[str] | str | None:
    if not use_permissions:
        return None
    try:
        principals = read_principals(file_data)
    except PermissionsUnavailableError:
        return "not known"
    return None if principals is None else list(principals)
