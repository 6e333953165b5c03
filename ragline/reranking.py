"""A second, closer look at the first candidates: late interaction, or a cross-encoder.

Only scores are made here; which candidates are scored, and putting them in order, is
`ragline.search.searcher`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragline.embedder.embedder import Embedder
from ragline.embedder.model_files import find_model_folder
from ragline.errors import ModelUnavailableError

LATE_INTERACTION = "late-interaction"

Tokens = NDArray[np.float32]


class Reranker(Protocol):
    """Scores texts against a query by reading both. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """What the setting calls it."""

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """A score for each text, in input order; larger is better.

        Scores of one call compare with one another and with nothing else.
        """


class LateInteractionReranker:
    """Scores by the embedding model's own token vectors: no second model is needed.

    Costs a forward pass for each text.
    """

    name = LATE_INTERACTION

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """`late_interaction_scores` of the texts, each in -1…1."""
        if not texts:
            return []
        query_tokens = self._embedder.embed_query_tokens(query)
        return late_interaction_scores(query_tokens, self._embedder.embed_tokens(texts))


class CrossEncoderReranker:
    """Scores by a model that reads query and text together, through sentence-transformers."""

    def __init__(self, model: str, device: str | None = None) -> None:
        """`device` is PyTorch's name of one; by default a GPU where there is one.

        Raises:
            ModelUnavailableError: the model cannot be found or loaded, or has no trained
                head: its scores would be noise.
        """
        self.name = model
        folder = find_model_folder(model, organisation="cross-encoder")
        self._model = _load_cross_encoder(model, folder, device)
        # sentence-transformers moves the model and its tokenizer's state about while it predicts.
        self._lock = threading.Lock()

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """The model's own scores; a text past its length limit is cut there."""
        if not texts:
            return []
        pairs = [(query, text) for text in texts]
        with self._lock:
            scores = self._model.predict(pairs, batch_size=16, show_progress_bar=False)
        return [float(score) for score in scores]


def load_reranker(setting: str, embedder: Embedder) -> Reranker:
    """The reranker that a collection asks for: `late-interaction`, or a CrossEncoder.

    Raises:
        ModelUnavailableError: the named CrossEncoder cannot be used.
    """
    if setting == LATE_INTERACTION:
        return LateInteractionReranker(embedder)
    return CrossEncoderReranker(setting)


def late_interaction_scores(
    query_tokens: Tokens, candidate_tokens: Sequence[Tokens]
) -> list[float]:
    """For each candidate, the mean over the query's tokens of the best cosine among its tokens.

    Rows are of unit length: (tokens, dimension). Scores lie in -1…1 whatever the query's
    length; a candidate without tokens has 0, as if nothing in it were related.

    Source: Khattab and Zaharia, "ColBERT", SIGIR 2020; the sum there is a mean here.
    """
    filled = [tokens for tokens in candidate_tokens if len(tokens)]
    scores = np.zeros(len(candidate_tokens), dtype=np.float32)
    if len(query_tokens) == 0 or not filled:
        return [float(score) for score in scores]
    starts = np.cumsum([0, *(len(tokens) for tokens in filled)])[:-1]
    cosines = query_tokens @ np.concatenate(filled).T
    best = np.maximum.reduceat(cosines, starts, axis=1)
    scores[[len(tokens) > 0 for tokens in candidate_tokens]] = best.mean(axis=0)
    return [float(score) for score in scores]


def blend_scores(
    fused: Sequence[float], reranked: Sequence[float], weight: float = 0.5
) -> list[float]:
    """(1 - weight) of the fused score and `weight` of the reranker's, each scaled to 0…1.

    The scale runs from the least to the greatest of the candidates given; where all are equal
    they count as 1. The default was the best over seven collections.

    Raises:
        ValueError: the lists differ in length.
    """
    return [first + second for first, second in split_blend(fused, reranked, weight)]


def split_blend(
    fused: Sequence[float], reranked: Sequence[float], weight: float
) -> list[tuple[float, float]]:
    """The two parts of each of `blend_scores`: the fused score's, and the reranker's."""
    pairs = zip(_scale(fused), _scale(reranked), strict=True)
    return [(float((1 - weight) * first), float(weight * second)) for first, second in pairs]


def _scale(scores: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    spread = np.ptp(values) if len(values) else 0.0
    return np.ones_like(values) if spread == 0 else (values - values.min()) / spread


def _load_cross_encoder(model: str, folder: Path, device: str | None) -> Any:
    # Imported here: torch costs seconds that late interaction never pays.
    from sentence_transformers import CrossEncoder

    from ragline.embedder.pytorch_backend import silent_loading

    try:
        with silent_loading():
            _refuse_untrained(model, folder)
            return CrossEncoder(str(folder), device=device, local_files_only=True)
    except ModelUnavailableError:
        raise
    except Exception as error:
        raise ModelUnavailableError(f"reranker {model} cannot be loaded: {error}") from error


def _refuse_untrained(model: str, folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    architectures = AutoConfig.from_pretrained(folder).architectures or [""]
    if architectures[0].endswith("ForCausalLM"):
        return
    # sentence-transformers fills a missing head with random weights and only logs it.
    _, report = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelUnavailableError(
            f"reranker {model} is no trained cross-encoder: it has no weights for "
            f"{', '.join(missing)}, so its scores would be noise. Name a CrossEncoder, or "
            f"{LATE_INTERACTION}"
        )
