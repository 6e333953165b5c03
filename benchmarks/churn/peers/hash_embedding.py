"""A substitute for a model: the hash of a text as a unit vector. Fast and repeatable."""

from __future__ import annotations

import hashlib
import math
import random

DIMENSION = 384


def embed_by_hash(text: str) -> list[float]:
    """A unit vector of 384 numbers; equal texts have equal ones."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest())
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    values = [chance.gauss(0, 1) for _ in range(DIMENSION)]
    length = math.hypot(*values)
    return [value / length for value in values]
