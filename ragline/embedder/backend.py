"""What an encoder can do: run one padded batch. Planning batches is `batching`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Backend(Protocol):
    """A model made ready for one kind of processor. Safe to call from several threads."""

    @property
    def encoder(self) -> str:
        """What it is called in receipts: `openvino-bf16`, `pytorch-f32`."""

    @property
    def dimension(self) -> int:
        """The length of a text's vector."""

    @property
    def parallel_batches(self) -> int:
        """How many batches should be in the works at a time to keep the processor busy."""

    @property
    def batch_tokens(self) -> int:
        """How many tokens, padding included, make a batch of the best rate."""

    def embed_batch(self, ids: Ids, mask: Ids, *, is_alone: bool = False) -> Floats:
        """(rows, dimension) unit rows. `is_alone` asks for the least time, not the best rate."""

    def embed_batch_tokens(self, ids: Ids, mask: Ids) -> Floats:
        """(rows, width, dimension), a unit row per token; rows of padding hold anything."""
