"""Embedding models: they compute the vector of a text and count its tokens.

Indexing and search use the same code. `ragline.lifecycle` stores vectors, and `ragline.search`
compares them. Each name is imported at its first use, because code that only looks for a model's
files needs neither numpy nor a tokenizer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "Embedder": "embedder",
    "EmbeddingSpace": "space",
    "ModelTokenizer": "tokenizer",
    "TokenCounter": "tokenizer",
    "load_embedder": "embedder",
    "load_tokenizer": "tokenizer",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
