"""The interface of rerankers, and the choice of the one that the setting `reranker` names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from ragline.embedder.embedder import Embedder
from ragline.rerankers import NAMED_RERANKERS
from ragline.rerankers.cross_encoder import CrossEncoderReranker


class Reranker(Protocol):
    """Scores texts against a query by reading both. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """The value of the setting `reranker` that selects it."""

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """A score for each text, in input order; larger is better.

        Scores are comparable within one call only.
        """


def load_reranker(setting: str, embedder: Embedder) -> Reranker:
    """The reranker that a setting names: one of `NAMED_RERANKERS`, or a CrossEncoder.

    Raises:
        ModelUnavailableError: the named CrossEncoder cannot be used.
    """
    if setting not in NAMED_RERANKERS:
        return CrossEncoderReranker(setting)
    module, _, name = NAMED_RERANKERS[setting].partition(":")
    make = getattr(import_module(f"ragline.rerankers.{module}"), name)
    return cast("Reranker", make(embedder))
