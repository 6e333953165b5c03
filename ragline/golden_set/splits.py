"""Divides the queries of a golden set into `tune`, `gate` and `holdout`.

Settings are chosen on `tune`, a new generation is judged on `gate`, and `holdout` is never used for
a decision. The split of a query depends only on its id. So it stays the same when other queries are
added, removed or moved, and it is the same on every machine.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Split = Literal["tune", "gate", "holdout"]
SPLITS: tuple[Split, ...] = get_args(Split)

# The share of each split, in percent of the ids.
SHARES: dict[Split, int] = {"tune": 50, "gate": 25, "holdout": 25}


def choose_split(query_id: str) -> Split:
    """Return the split of a query.

    The first eight bytes of the SHA-256 hash of the id, as a big-endian number, are taken modulo
    100. A result below 50 is `tune`, below 75 `gate`, and otherwise `holdout`. These numbers must
    not change, or figures of old evaluations could no longer be compared.
    """
    digest = hashlib.sha256(query_id.encode("utf-8", "surrogatepass")).digest()
    left = int.from_bytes(digest[:8], "big") % 100
    for name, share in SHARES.items():
        if left < share:
            return name
        left -= share
    raise AssertionError("the shares add up to 100")
