"""The protocol of a backend, which runs a model on one padded batch. `batching` plans batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Backend(Protocol):
    """A model that is loaded for one kind of processor. Several threads can call it."""

    @property
    def encoder(self) -> str:
        """The name of the backend with its precision, such as `openvino-bf16` or `pytorch-f32`."""

    @property
    def dimension(self) -> int:
        """The length of a text's vector."""

    @property
    def parallel_batches(self) -> int:
        """The number of batches that use the whole processor if they run at the same time."""

    @property
    def batch_tokens(self) -> int:
        """The number of tokens of a batch, including padding, that has the highest throughput."""

    def embed_batch(self, ids: Ids, mask: Ids, *, is_alone: bool = False) -> Floats:
        """Return the vectors of a batch: (rows, dimension) float32, rows of unit length.

        `ids` and `mask` are (rows, width) int64. If `is_alone` is true, low latency is more
        important than throughput.
        """

    def embed_batch_tokens(self, ids: Ids, mask: Ids) -> Floats:
        """Return the vectors of a batch's tokens: (rows, width, dimension) float32.

        The vectors of padding are undefined.
        """
