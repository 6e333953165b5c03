"""Hashes of bytes, texts and settings. Derived data refers to its origin by such a hash.

The owner of a fingerprint (parser, chunker, embedding space) decides what it contains.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

FINGERPRINT_DIGITS = 16


def hash_bytes(content: bytes) -> bytes:
    """SHA-256 of bytes: 32 bytes."""
    return hashlib.sha256(content).digest()


def hash_text(text: str) -> bytes:
    """SHA-256 of a text in UTF-8: 32 bytes. The text is not normalised."""
    return hash_bytes(text.encode())


def fingerprint(parts: Mapping[str, object]) -> str:
    """A short hash of a set of settings: 16 hexadecimal digits, the same on every machine.

    The order of keys does not matter. Values must have a JSON form; a tuple equals a list.

    Raises:
        TypeError: a value has no JSON form. Use its text or its hash instead.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hash_text(canonical).hex()[:FINGERPRINT_DIGITS]
