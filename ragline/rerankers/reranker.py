"""The interface of rerankers. This module also loads the one that the setting `reranker` names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from ragline.embedder.embedder import Embedder
from ragline.rerankers import NAMED_RERANKERS
from ragline.rerankers.cross_encoder import CrossEncoderReranker


class Reranker(Protocol):
    """Scores texts by their relevance to a query. Several threads can use it."""

    @property
    def name(self) -> str:
        """The value of the setting `reranker` that selects this reranker."""

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return a score for each text, in input order. A larger score is better.

        Only the scores of one call are comparable.
        """


def load_reranker(setting: str, embedder: Embedder) -> Reranker:
    """Load the reranker that a setting names: one of `NAMED_RERANKERS`, or a CrossEncoder.

    Raises:
        ModelUnavailableError: the named CrossEncoder cannot be used.
    """
    if setting not in NAMED_RERANKERS:
        return CrossEncoderReranker(setting)
    module, _, name = NAMED_RERANKERS[setting].partition(":")
    make = getattr(import_module(f"ragline.rerankers.{module}"), name)
    return cast("Reranker", make(embedder))
