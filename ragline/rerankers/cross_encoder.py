"""Reranks with a CrossEncoder, a second model that reads query and text together.

sentence-transformers loads and runs the model.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragline.embedder.model_files import find_model_folder
from ragline.errors import ModelUnavailableError
from ragline.rerankers import LATE_INTERACTION


class CrossEncoderReranker:
    """Scores texts with a CrossEncoder. Several threads can use it."""

    def __init__(self, model: str, device: str | None = None) -> None:
        """`device` is a device name of PyTorch. With None, the GPU is used if there is one.

        Raises:
            ModelUnavailableError: the model cannot be found or loaded, or it has no trained head.
                Without a trained head, its scores would be noise.
        """
        self.name = model
        folder = find_model_folder(model, organisation="cross-encoder")
        self._model = _load_cross_encoder(model, folder, device)
        # One thread at a time calls `predict`, because `predict` changes the state of model and
        # tokenizer.
        self._lock = threading.Lock()

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the scores of the model, in input order.

        A text that is longer than the model's limit is truncated.
        """
        if not texts:
            return []
        pairs = [(query, text) for text in texts]
        with self._lock:
            scores = self._model.predict(pairs, batch_size=16, show_progress_bar=False)
        return [float(score) for score in scores]


def _load_cross_encoder(model: str, folder: Path, device: str | None) -> Any:
    # This import is here because torch takes seconds to import. Late interaction needs no torch.
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
    # If the head is missing, sentence-transformers fills it with random weights and only logs this.
    _, report = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelUnavailableError(
            f"reranker {model} is not a trained cross-encoder: it has no weights for "
            f"{', '.join(missing)}, so its scores would be noise. Name a CrossEncoder, or "
            f"{LATE_INTERACTION}"
        )
