"""The embedding space: vectors are comparable within one space only."""

from __future__ import annotations

from dataclasses import dataclass

from ragline.fingerprints import fingerprint


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The space of one model's vectors: the model, its files and its prefixes.

    The backend is not part of it: the vectors of each backend of `load_embedder` agree with PyTorch
    in float32 to a cosine of 0.9999, so vectors of different backends are comparable. A backend
    with lower precision (int8) would need another space.

    `max_tokens` is the maximum number of tokens of a text, as in `TokenCounter`.
    """

    model: str
    model_hash: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""

    @property
    def fingerprint(self) -> str:
        """A hash that is equal for equal files: the name of a model does not change its vectors."""
        return fingerprint(
            {
                "model_hash": self.model_hash,
                "dimension": self.dimension,
                "query_prefix": self.query_prefix,
                "document_prefix": self.document_prefix,
            }
        )
