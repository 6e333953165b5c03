"""Embedding: a text to a vector, and a text to its number of tokens.

The same code serves indexing and search. Storing vectors is `ragline.lifecycle`; comparing
them is `ragline.search`.
"""

from __future__ import annotations

from ragline.embedder.embedder import Embedder, load_embedder
from ragline.embedder.space import EmbeddingSpace
from ragline.embedder.tokenizer import ModelTokenizer, TokenCounter, load_tokenizer

__all__ = [
    "Embedder",
    "EmbeddingSpace",
    "ModelTokenizer",
    "TokenCounter",
    "load_embedder",
    "load_tokenizer",
]
