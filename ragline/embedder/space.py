"""What makes vectors comparable: the model, its files and what is put in front of a text."""

from __future__ import annotations

from dataclasses import dataclass

from ragline.fingerprints import fingerprint


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The space that vectors of one model lie in.

    How they are computed is not part of it: every encoder that `load_embedder` offers agrees
    with PyTorch in float32 to a cosine of 0.9999, so their vectors may be mixed. An encoder
    that cannot keep that (int8) would be another space.

    `max_tokens` is what a document's text may have, as in `TokenCounter`.
    """

    model: str
    model_hash: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for the same files under another name: a vector depends on no name."""
        return fingerprint(
            {
                "model_hash": self.model_hash,
                "dimension": self.dimension,
                "query_prefix": self.query_prefix,
                "document_prefix": self.document_prefix,
            }
        )
