"""Hashes of bytes, texts and settings.

Stored results, such as chunks, refer to their inputs by these hashes. The parser, the chunker and
the embedding space decide which settings their fingerprints contain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

FINGERPRINT_DIGITS = 16


def hash_bytes(content: bytes) -> bytes:
    """The SHA-256 hash of bytes, as 32 bytes."""
    return hashlib.sha256(content).digest()


def hash_text(text: str) -> bytes:
    """The SHA-256 hash of a text in UTF-8, as 32 bytes. The text is not normalised."""
    return hash_bytes(text.encode())


def fingerprint(parts: Mapping[str, object]) -> str:
    """A short hash of settings, as 16 hexadecimal digits.

    Equal settings have the same fingerprint on every machine. The order of the keys does not
    matter. Each value must have a JSON form. A tuple counts as a list.

    Raises:
        TypeError: a value has no JSON form. Use its text or its hash instead.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hash_text(canonical).hex()[:FINGERPRINT_DIGITS]
