"""The documents whose bytes a sync proof hashes: all, or a random sample of a large source.

`sync_proof` reads the documents and compares their hashes with the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping

# Every document of a source up to this size is read and hashed. For a larger source, a sample of
# the documents is read and hashed.
MAX_HASHED_DOCUMENTS = 1_000
MAX_HASHED_BYTES = 16 * 1024 * 1024
MAX_SAMPLED_DOCUMENTS = 300
MAX_SAMPLED_BYTES = 64 * 1024 * 1024
CONFIDENCE = 0.95


def choose_documents(hashes: Sequence[RowMapping], sizes: dict[str, int]) -> dict[str, RowMapping]:
    """Return all documents of a small source, or a random sample of a larger one, by id.

    `hashes` is a random sample of at most MAX_HASHED_DOCUMENTS documents, in random order.
    """
    total = sum(sizes.get(row["document_id"], 0) for row in hashes)
    if all(row["total"] == len(hashes) for row in hashes[:1]) and total <= MAX_HASHED_BYTES:
        return {row["document_id"]: row for row in hashes}
    chosen: dict[str, RowMapping] = {}
    bytes_left = MAX_SAMPLED_BYTES
    for row in hashes[:MAX_SAMPLED_DOCUMENTS]:
        bytes_left -= sizes.get(row["document_id"], 0)
        if bytes_left < 0 and chosen:
            break
        chosen[row["document_id"]] = row
    return chosen


def bound_unseen_ratio(sampled: int, total: int) -> float:
    """Return the largest share of documents that can differ although the sample has no difference.

    The result is 0 if all documents were sampled, and 1 if none was. Otherwise it is the p for
    which (1 - p)^n = 1 - 0.95, where n is `sampled`. Source: the binomial bound for zero observed
    events, at a confidence of 95 %.
    """
    if sampled >= total:
        return 0.0
    if sampled == 0:
        return 1.0
    return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / sampled))
