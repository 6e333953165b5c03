"""The metadata of a document, and the principals that may read it.

Neither is embedded, so a change only rewrites rows and needs no model.
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
    """Metadata and principals. `principals` is None when all may read, empty when no one may."""

    metadata: dict[str, Any]
    principals: tuple[str, ...] | None

    @property
    def hash(self) -> str:
        """A hash that changes when entries must be rewritten."""
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

    Later values replace earlier ones: the source's `metadata` and `principals`, those of the
    document, then those of each rule that matches the id, in the order of the file.
    """
    metadata = {**settings.metadata, **own_metadata}
    principals = settings.principals if own_principals is None else tuple(own_principals)
    for rule in settings.rules:
        if rule.matches(document_id):
            metadata |= rule.metadata
            principals = principals if rule.principals is None else rule.principals
    return Attributes(metadata, principals)


def attributes_fingerprint(settings: SourceSettings) -> str:
    """Changes when the configuration gives the same documents other attributes."""
    return fingerprint(
        settings.model_dump(mode="json", include={"metadata", "principals", "rules"})
    )
