"""What a document has besides its text: metadata, and who may read it.

Neither is ever embedded, so a change of them rewrites rows and costs no model time.
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
    """A document's metadata and readers. `principals` is None for everybody, empty for nobody."""

    metadata: dict[str, Any]
    principals: tuple[str, ...] | None

    @property
    def hash(self) -> str:
        """Differs whenever entries have to be rewritten."""
        readers = None if self.principals is None else sorted(self.principals)
        canonical = json.dumps([self.metadata, readers], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()[:32]


def describe_document(
    settings: SourceSettings,
    document_id: str,
    own_metadata: Mapping[str, Any],
    own_principals: Sequence[str] | None,
) -> Attributes:
    """What the configuration and the document itself say together.

    The later wins: the source's `metadata` and `principals`, the document's own, then every
    rule that matches its id, in the file's order.
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
