"""The embedding space. Vectors are comparable only within one space."""

from __future__ import annotations

from dataclasses import dataclass

from ragline.fingerprints import fingerprint


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The space of one model's vectors. The model's files and prefixes determine it.

    The backend is not part of the space. The cosine between the vectors of a backend and those of
    PyTorch in float32 is at least 0.9999, so vectors of different backends are comparable. A
    backend with lower precision, such as int8, would need another space.

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
        """A hash of all inputs that determine the vectors. The model's name is not part of it."""
        return fingerprint(
            {
                "model_hash": self.model_hash,
                "dimension": self.dimension,
                "query_prefix": self.query_prefix,
                "document_prefix": self.document_prefix,
            }
        )
