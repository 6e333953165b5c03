"""Chooses the chunk size and the overlap of a collection on trial indexes.

Each chunk size needs an index of its own, so only a few sizes are tried. Each of them is measured
with the present search settings. In this module, a chunk size includes its overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ragline.configuration import ChunkingSettings, CollectionSettings
from ragline.gate.comparison import Values
from ragline.golden_set import GoldenSet
from ragline.tuning.choice import MIN_STEP, assign_folds
from ragline.tuning.measurement import MeasuredIndex
from ragline.tuning.report import Change
from ragline.tuning.trial_index import build_trial

# The default model reads at most 254 tokens.
SIZES = (100, 150, 200, 254)
OVERLAPS = (0, 20)

Chunking = tuple[int, int]


def list_chunkings(present: ChunkingSettings, max_tokens: int) -> list[ChunkingSettings]:
    """Return the chunk sizes to try: first the present one, then others up to `max_tokens`."""
    tried = {(present.max_tokens, present.overlap_tokens): present}
    for size in SIZES:
        for overlap in OVERLAPS:
            if size <= max_tokens and (size, overlap) not in tried:
                tried[size, overlap] = ChunkingSettings(max_tokens=size, overlap_tokens=overlap)
    return list(tried.values())


def build_trials(
    index: MeasuredIndex, settings: CollectionSettings, golden: GoldenSet
) -> dict[Chunking, tuple[int, Values]]:
    """Build and measure one generation for each chunk size.

    Returns the id of the generation and the nDCG@10 of each query, by chunk size.
    """
    max_tokens = index.models.embedder(settings.embedding_model).tokenizer.max_tokens
    trials = {}
    for chunking in list_chunkings(settings.chunking, max_tokens):
        generation_id = build_trial(index, settings, chunking)
        values = index.measure(settings, generation_id, golden)
        trials[chunking.max_tokens, chunking.overlap_tokens] = (generation_id, values)
    return trials


def choose_chunking(
    measured: Mapping[Chunking, Values], present: Chunking, keys: Sequence[str], folds: int
) -> tuple[Chunking, Values]:
    """Choose the best chunk size, and cross-validate the choice.

    The second result is the score of each query with the size that was chosen without the fold of
    the query.
    """
    assigned = assign_folds(keys, folds)
    validated = np.empty(len(keys))
    for fold in range(folds):
        chosen = _find_best(measured, present, assigned != fold)
        validated[assigned == fold] = measured[chosen][assigned == fold]
    return _find_best(measured, present, np.ones(len(keys), bool)), validated


def list_chunking_changes(present: Chunking, chosen: Chunking) -> tuple[Change, ...]:
    """Return the settings that differ between two chunk sizes."""
    names = ("max_tokens", "overlap_tokens")
    pairs = zip(names, present, chosen, strict=True)
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)


def _find_best(
    measured: Mapping[Chunking, Values], present: Chunking, used: np.typing.NDArray[np.bool_]
) -> Chunking:
    """Return the chunk size with the best mean over the queries for which `used` is true.

    If it gains less than MIN_STEP, return the present chunk size.
    """
    means = {chunking: float(values[used].mean()) for chunking, values in measured.items()}
    best = max(means, key=means.__getitem__)
    return best if means[best] >= means[present] + MIN_STEP else present
