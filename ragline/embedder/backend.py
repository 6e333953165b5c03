"""The protocol of a backend: it runs one padded batch. Batches are planned in `batching`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Backend(Protocol):
    """A model loaded for one kind of processor. Safe to call from several threads."""

    @property
    def encoder(self) -> str:
        """The name of backend and precision: `openvino-bf16`, `pytorch-f32`."""

    @property
    def dimension(self) -> int:
        """The length of a text's vector."""

    @property
    def parallel_batches(self) -> int:
        """How many batches should run at the same time to use the whole processor."""

    @property
    def batch_tokens(self) -> int:
        """The number of tokens of a batch, including padding, that has the highest throughput."""

    def embed_batch(self, ids: Ids, mask: Ids, *, is_alone: bool = False) -> Floats:
        """The vectors of a batch: (rows, dimension) unit rows. `is_alone` selects low latency."""

    def embed_batch_tokens(self, ids: Ids, mask: Ids) -> Floats:
        """The token vectors of a batch, (rows, width, dimension); rows of padding are undefined."""
