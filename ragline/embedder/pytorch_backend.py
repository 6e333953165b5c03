"""The backend for GPUs and for models without an export. It uses PyTorch.

Its vectors in float32 on the CPU are the reference with which other backends are compared.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize
from transformers.utils import logging as transformers_logging

from ragline.embedder.backend import Floats, Ids
from ragline.embedder.model_files import ModelFiles
from ragline.errors import ModelUnavailableError

Precision = Literal["f32", "f16"]

_DTYPES = {"f32": torch.float32, "f16": torch.float16}
_CPU_BATCH_TOKENS = 2048
_GPU_BATCH_TOKENS = 65536


class EmbeddingModule(torch.nn.Module):
    """A sentence-transformers model as a module that computes unit vectors from ids and mask."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float32 vectors of texts (rows, dimension) and tokens (rows, width, dimension)."""
        features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        sentence, tokens = features["sentence_embedding"], features["token_embeddings"]
        return normalize(sentence.float(), dim=-1), normalize(tokens.float(), dim=-1)


class PyTorchBackend:
    """A sentence-transformers model on one device."""

    def __init__(self, files: ModelFiles, device: str, precision: Precision = "f32") -> None:
        model = load_sentence_transformer(files, device, precision)
        self._module = EmbeddingModule(model).eval()
        self._device = device
        self._precision = precision
        token = np.ones((1, 1), dtype=np.int64)
        self._dimension: int = self.embed_batch(token, token).shape[1]

    @property
    def encoder(self) -> str:
        return f"pytorch-{self._precision}"

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def parallel_batches(self) -> int:
        """One, because PyTorch uses the whole processor for a batch."""
        return 1

    @property
    def batch_tokens(self) -> int:
        return _CPU_BATCH_TOKENS if self._device == "cpu" else _GPU_BATCH_TOKENS

    def embed_batch(self, ids: Ids, mask: Ids, *, is_alone: bool = False) -> Floats:  # noqa: ARG002 - one variant for both
        return self._run(ids, mask, output=0)

    def embed_batch_tokens(self, ids: Ids, mask: Ids) -> Floats:
        return self._run(ids, mask, output=1)

    def embed_probes(self, probes: tuple[str, ...]) -> Floats:
        """Return the `reference_vectors` of the probes by the loaded model."""
        return reference_vectors(self._module.model, probes)

    def _run(self, ids: Ids, mask: Ids, output: int) -> Floats:
        arrays = (torch.from_numpy(array).to(self._device) for array in (ids, mask))
        with torch.inference_mode():
            # The output is selected on the device, because token vectors are a hundred times larger
            # than text vectors.
            vectors: torch.Tensor = self._module(*arrays)[output]
            return np.asarray(vectors.cpu().numpy(), dtype=np.float32)


def has_gpu() -> bool:
    """Whether PyTorch can use a GPU of this machine."""
    return torch.cuda.is_available()


@contextmanager
def silent_loading() -> Iterator[None]:
    """Keep the progress bars and load reports of transformers out of a command's output."""
    verbosity = transformers_logging.get_verbosity()
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_sentence_transformer(
    files: ModelFiles, device: str, precision: Precision = "f32", attention: str | None = None
) -> SentenceTransformer:
    """Load a model from its local files with sentence-transformers.

    Raises:
        ModelUnavailableError: sentence-transformers cannot load the folder, or the model is
            not a transformer over token ids.
    """
    options: dict[str, object] = {"dtype": _DTYPES[precision]}
    if attention is not None:
        options["attn_implementation"] = attention
    try:
        with silent_loading():
            model = SentenceTransformer(
                str(files.folder), device=device, local_files_only=True, model_kwargs=options
            )
    except Exception as error:
        raise ModelUnavailableError(
            f"embedding model {files.model} cannot be loaded from {files.folder}: {error}"
        ) from error
    model.max_seq_length = files.max_positions
    return model


def reference_vectors(model: SentenceTransformer, texts: tuple[str, ...]) -> Floats:
    """Compute vectors of queries with the tokenizer of sentence-transformers.

    Returns (n, dimension) float32 rows of unit length.
    """
    vectors = model.encode_query(
        list(texts), batch_size=4, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)
