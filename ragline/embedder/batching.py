"""Decides which texts a model reads in one batch, from their token counts.

`encoding` runs the batches; `tokenizer` makes the token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ragline.embedder.backend import Ids

# A text is padded to the next multiple of this width. It shares a batch only with texts of the same
# padded width. So the other texts of its batch do not change a single bit of its vector. This was
# measured on OpenVINO in bfloat16 and float32. At 180 tokens, padding adds 2 % to the tokens.
WIDTH_STEP = 8


def padded_width(token_count: int) -> int:
    """Return the number of columns to which a text of `token_count` tokens is padded."""
    return -(-token_count // WIDTH_STEP) * WIDTH_STEP


def longest_first(token_counts: Sequence[int]) -> list[int]:
    """Return the indices by descending token count. Ties keep the input order."""
    return sorted(range(len(token_counts)), key=lambda index: -token_counts[index])


def plan_batches(token_counts: Sequence[int], batch_tokens: int) -> Iterator[tuple[int, list[int]]]:
    """Yield (width, indices) of batches, widest first. All texts of a batch have one padded width.

    Each index occurs once. A batch has at most `batch_tokens` tokens, including padding, or it has
    one text.
    """
    by_width: dict[int, list[int]] = {}
    for index, count in enumerate(token_counts):
        by_width.setdefault(padded_width(count), []).append(index)
    for width in sorted(by_width, reverse=True):
        indices = by_width[width]
        size = max(1, batch_tokens // max(1, width))
        for start in range(0, len(indices), size):
            yield width, indices[start : start + size]


def pad_rows(rows: Sequence[Sequence[int]], width: int, pad_id: int) -> tuple[Ids, Ids]:
    """Make the arrays `ids` and `mask`, both (rows, width) int64.

    The mask is 1 where a row has a token, and 0 in the padding.
    """
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for position, row in enumerate(rows):
        ids[position, : len(row)] = row
        mask[position, : len(row)] = 1
    return ids, mask
