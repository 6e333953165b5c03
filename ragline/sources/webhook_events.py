"""Reads from the body of a webhook what has changed in a source.

A body is used only as a hint: the listing of the source decides what has changed. So a body that
has another structure means that the whole source can have changed. `webhook_signatures` checks the
sender first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from ragline.sources.files.paths import PathPatterns
from ragline.sources.files.settings import FilesSettings, StorageSettings
from ragline.sources.git.settings import GitSettings
from ragline.sources.settings import SourceSettings
from ragline.storable_text import clean_value

BRANCH_PREFIX = "refs/heads/"
FORM_TYPE = "application/x-www-form-urlencoded"
# GitHub sends this event when a webhook is created.
PING = "ping"


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What a request reports about a source.

    If `is_change` is false, the source has not changed, for example because another branch was
    pushed. `document_ids` are the changed documents, or None if any document can have changed.
    """

    is_change: bool = True
    document_ids: tuple[str, ...] | None = None


NO_CHANGE = ChangeEvent(is_change=False)
WHOLE_SOURCE = ChangeEvent()


def read_event(source: SourceSettings, headers: Mapping[str, str], body: bytes) -> ChangeEvent:
    """Read the event that the sender of the source's webhook has sent."""
    assert source.webhook is not None
    if headers.get("x-github-event") == PING:
        return NO_CHANGE
    event = _read_object(headers, body)
    if source.webhook.sender == "s3":
        return _read_storage_event(source, event)
    return WHOLE_SOURCE if _may_change_branch(source, event) else NO_CHANGE


def _read_object(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, or an empty one if the body has none.

    GitHub can also send a form with the JSON in a field.
    """
    try:
        if headers.get("content-type", "").partition(";")[0].strip().lower() == FORM_TYPE:
            body = parse_qs(body.decode())["payload"][0].encode()
        found = json.loads(body)
    except (ValueError, RecursionError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}


def _may_change_branch(source: SourceSettings, event: Mapping[str, Any]) -> bool:
    """Whether a push can change the branch that a source reads. Other events can."""
    ref = event.get("ref")
    if not isinstance(source, GitSettings) or not isinstance(ref, str):
        return True
    branch = source.branch or _find_default_branch(event)
    return branch is None or ref in (branch, BRANCH_PREFIX + branch)


def _find_default_branch(event: Mapping[str, Any]) -> str | None:
    """Return the default branch of the repository: GitHub's `repository`, GitLab's `project`."""
    for name in ("repository", "project"):
        described = event.get(name)
        branch = described.get("default_branch") if isinstance(described, dict) else None
        if isinstance(branch, str):
            return branch
    return None


def _read_storage_event(source: SourceSettings, event: Mapping[str, Any]) -> ChangeEvent:
    """Return the documents that the records of a notification name."""
    records = event.get("Records")
    location = _split_location(source)
    if not isinstance(records, list) or location is None:
        return WHOLE_SOURCE
    bucket, folder = location
    found: set[str] = set()
    for record in records:
        named = _find_object(record)
        if named is None:
            return WHOLE_SOURCE
        if named[0] != bucket or not _is_change(record):
            continue
        if named[1] == folder:  # the `uri` names this file
            return WHOLE_SOURCE
        found.update(_name_document(source, folder, named[1]))
    return ChangeEvent(bool(found), tuple(sorted(found)) or None)


def _split_location(source: SourceSettings) -> tuple[str, str] | None:
    """Return the bucket and the key of a source's `uri`, or None if it is not such a URL."""
    if not isinstance(source, StorageSettings) or "::" in source.uri:
        return None
    scheme, _, path = source.uri.partition("://")
    if scheme not in ("s3", "s3a"):
        return None
    bucket, _, key = path.partition("/")
    return bucket, key.strip("/")


def _find_object(record: object) -> tuple[str, str] | None:
    """Return the bucket and the key of a record. The key is decoded from its URL form."""
    try:
        described: Any = record
        stored = described["s3"]
        bucket, key = stored["bucket"]["name"], stored["object"]["key"]
    except (TypeError, KeyError, IndexError):
        return None
    if not isinstance(bucket, str) or not isinstance(key, str):
        return None
    return bucket, unquote_plus(key)


def _is_change(record: Mapping[str, Any]) -> bool:
    """Whether an event changes an object. A read of an object is an event too."""
    return "ObjectAccessed" not in str(record.get("eventName", ""))


def _name_document(source: SourceSettings, folder: str, key: str) -> Iterator[str]:
    """Yield the id of the document at a key. A key that is no document yields nothing."""
    prefix = f"{folder}/" if folder else ""
    path = key.removeprefix(prefix)
    if not isinstance(source, FilesSettings) or not key.startswith(prefix) or path.endswith("/"):
        return
    if PathPatterns(source.include, source.exclude, source.ignore_files).matches(path):
        yield clean_value(path)
