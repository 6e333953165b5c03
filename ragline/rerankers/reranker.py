"""The interface of rerankers, and the functions that load a reranker and call it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import isfinite
from typing import Protocol, cast

from ragline.embedder.embedder import Embedder
from ragline.errors import RaglineError, RerankingError
from ragline.rerankers import NAMED_RERANKERS
from ragline.rerankers.cross_encoder import CrossEncoderReranker


class Reranker(Protocol):
    """Scores texts by their relevance to a query. Several threads can use it."""

    @property
    def name(self) -> str:
        """The value of the setting `reranker` that selects this reranker."""

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return a score for each text, in input order. A larger score is better.

        Only the scores of one call are comparable. Any error of the method becomes a
        `RerankingError` in `score_texts` of this module.
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


def score_texts(reranker: Reranker, query: str, texts: Sequence[str]) -> list[float]:
    """Return the scores of a reranker for the texts, in input order.

    Raises:
        RerankingError: the reranker failed, or it did not return one finite number for each text.
    """
    try:
        scores = reranker.score_texts(query, texts)
    except RaglineError:
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise RerankingError(f"reranker {reranker.name} failed: {cause}") from error
    if len(scores) != len(texts) or not all(map(isfinite, scores)):
        raise RerankingError(
            f"reranker {reranker.name} did not return one finite number for each of "
            f"{len(texts)} texts"
        )
    return scores
