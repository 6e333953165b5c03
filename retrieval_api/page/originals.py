"""Finds the original of a document: a link to it, or its path as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from ragline.sources.git.settings import GitSettings
from ragline.sources.settings import LocatedSettings, SourceSettings
from retrieval_api.page.links import is_safe_link

# Metadata keys that contain the address of the original.
_LINK_KEYS = ("url", "link", "source_url", "html_url", "web_url", "permalink", "uri")
_SSH = re.compile(r"(?:ssh://)?[\w.-]+@([\w.-]+)(?::\d+)?[:/](.+)")
_BLOB_PATHS = {
    "github.com": "/blob/{branch}/",
    "gitlab.com": "/-/blob/{branch}/",
    "bitbucket.org": "/src/{branch}/",
}


@dataclass(frozen=True, slots=True)
class Original:
    """The original of a document. `address` is None if a browser cannot open the original."""

    text: str
    address: str | None


def find_original(
    settings: SourceSettings | None,
    document_id: str,
    metadata: Mapping[str, Any],
    *,
    may_see_paths: bool,
) -> Original | None:
    """Find the original of a document. Return None if the original is unknown.

    If `may_see_paths` is true, the result can be a path on the service's machine.
    """
    if is_safe_link(document_id):
        return Original(document_id, document_id)
    for key in _LINK_KEYS:
        address = metadata.get(key)
        if isinstance(address, str) and is_safe_link(address):
            return Original(address, address)
    if isinstance(settings, GitSettings):
        return _find_in_git(settings, document_id, may_see_paths=may_see_paths)
    if isinstance(settings, LocatedSettings) and settings.kind == "files":
        return _find_file(settings, document_id, may_see_paths=may_see_paths)
    return None


def _find_in_git(
    settings: GitSettings, document_id: str, *, may_see_paths: bool
) -> Original | None:
    host, path = _split_repository(settings.address)
    blob = _BLOB_PATHS.get(host or "")
    if host is None or blob is None:
        return Original(f"{settings.address}: {document_id}", None) if may_see_paths else None
    branch = quote(settings.branch or "HEAD", safe="/")
    repository = path.strip("/").removesuffix(".git")
    inside = blob.format(branch=branch) + quote(document_id, safe="/%")
    address = f"https://{host}/{quote(repository)}{inside}"
    return Original(address, address if is_safe_link(address) else None)


def _split_repository(uri: str) -> tuple[str | None, str]:
    """Return the host and the path of a repository. A local repository has no host."""
    if ssh := _SSH.fullmatch(uri):
        return ssh.group(1).lower(), ssh.group(2)
    parts = urlsplit(uri)
    return (parts.hostname if parts.scheme in ("http", "https") else None), parts.path


def _find_file(
    settings: LocatedSettings, document_id: str, *, may_see_paths: bool
) -> Original | None:
    parts = urlsplit(settings.address)
    if parts.scheme in ("http", "https") and "::" not in settings.address:
        path = f"{parts.path.rstrip('/')}/{quote(document_id, safe='/%')}"
        address = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        return Original(address, address if is_safe_link(address) else None)
    return (
        Original(f"{settings.address.rstrip('/')}/{document_id}", None) if may_see_paths else None
    )
