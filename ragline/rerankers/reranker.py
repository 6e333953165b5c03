"""What a reranker does, and which one a collection's setting `reranker` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ragline.embedder.embedder import Embedder
from ragline.rerankers import LATE_INTERACTION
from ragline.rerankers.cross_encoder import CrossEncoderReranker
from ragline.rerankers.late_interaction import LateInteractionReranker


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
    """The reranker that a setting names: `late-interaction`, or the name of a CrossEncoder.

    Raises:
        ModelUnavailableError: the named CrossEncoder cannot be used.
    """
    if setting == LATE_INTERACTION:
        return LateInteractionReranker(embedder)
    return CrossEncoderReranker(setting)
