"""The metadata of a document, and the principals that may find the document.

Neither is embedded. So if they change, Ragline rewrites rows and embeds no text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragline.fingerprints import fingerprint
from ragline.sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Attributes:
    """The metadata and the principals of a document.

    If `principals` is None, all callers may find the document. If it is empty, no caller may find
    it.
    """

    metadata: dict[str, Any]
    principals: tuple[str, ...] | None

    @property
    def hash(self) -> str:
        """A hash of the attributes. If it changes, the document's entries must be rewritten."""
        principals = None if self.principals is None else sorted(self.principals)
        canonical = json.dumps([self.metadata, principals], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()[:32]


def resolve_attributes(
    settings: SourceSettings,
    document_id: str,
    own_metadata: Mapping[str, Any],
    own_principals: Sequence[str] | None,
) -> Attributes:
    """The attributes of a document, from the configuration and from the document.

    `own_metadata` and `own_principals` come from the document. The source's settings apply first,
    then the document's own values, then each rule that matches the id, in the order of the file. A
    later value replaces an earlier one.
    """
    metadata = {**settings.metadata, **own_metadata}
    principals = settings.principals if own_principals is None else tuple(own_principals)
    for rule in settings.rules:
        if rule.matches(document_id):
            metadata |= rule.metadata
            principals = principals if rule.principals is None else rule.principals
    return Attributes(metadata, principals)


def attributes_fingerprint(settings: SourceSettings) -> str:
    """A hash of the settings `metadata`, `principals` and `rules`.

    If it changes, the documents of the source can have other attributes.
    """
    return fingerprint(
        settings.model_dump(mode="json", include={"metadata", "principals", "rules"})
    )
