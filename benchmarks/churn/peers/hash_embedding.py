"""A fast and repeatable substitute for a model: it computes vectors from hashes of texts."""

from __future__ import annotations

import hashlib
import math
import random

DIMENSION = 384


def embed_by_hash(text: str) -> list[float]:
    """Return a vector of 384 numbers with the length 1. Equal texts have equal vectors."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest())
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    values = [chance.gauss(0, 1) for _ in range(DIMENSION)]
    length = math.hypot(*values)
    return [value / length for value in values]
