"""The choice of settings: the best values are found, and chance is not proposed."""

from __future__ import annotations

import numpy as np
import pytest

from ragline.configuration import ChunkingSettings, SearchSettings
from ragline.gate.comparison import Values, compare_values
from ragline.tuning.choice import RERANK_SPACE, SEARCH_SPACE, Budget, assign_folds, choose_settings
from ragline.tuning.chunking import choose_chunking, list_chunkings

KEYS = [f"q{number}" for number in range(60)]
BUDGET = Budget(trials=60, folds=5, seed=7)
LEVELS = np.random.default_rng(3).uniform(0.2, 0.7, len(KEYS))


def prefer_keywords(settings: SearchSettings) -> Values:
    """Each query is best with the vector weight 0.2 and with feedback of 0.3."""
    lost = 0.3 * abs(settings.vector_weight - 0.2) + 0.2 * abs(settings.feedback_weight - 0.3)
    return LEVELS - lost


def draw_noise(settings: SearchSettings) -> Values:
    """The settings change each query, but none is better than another."""
    seed = [round(100 * settings.vector_weight), round(100 * settings.feedback_weight)]
    return LEVELS + np.random.default_rng([*seed, settings.candidates]).normal(0, 0.1, len(KEYS))


def test_best_settings_are_found_and_the_gain_is_validated() -> None:
    present = SearchSettings()
    choice = choose_settings(prefer_keywords, present, SEARCH_SPACE, KEYS, BUDGET)
    assert choice.settings == SearchSettings(vector_weight=0.2, feedback_weight=0.3)
    assert choice.present == pytest.approx(prefer_keywords(present))
    assert choice.validated.mean() > choice.present.mean() + 0.1


def test_setting_without_effect_keeps_its_value() -> None:
    present = SearchSettings(candidates=75)
    choice = choose_settings(prefer_keywords, present, SEARCH_SPACE, KEYS, BUDGET)
    assert choice.settings.candidates == 75


def test_present_value_outside_the_tried_values_is_kept_if_it_is_best() -> None:
    present = SearchSettings(vector_weight=0.21, feedback_weight=0.3)

    def prefer_present(settings: SearchSettings) -> Values:
        return LEVELS - abs(settings.vector_weight - 0.21) - abs(settings.feedback_weight - 0.3)

    choice = choose_settings(prefer_present, present, SEARCH_SPACE, KEYS, BUDGET)
    assert choice.settings == present
    assert np.array_equal(choice.present, choice.validated)


def test_cross_validation_does_not_believe_noise() -> None:
    choice = choose_settings(draw_noise, SearchSettings(), SEARCH_SPACE, KEYS, BUDGET)
    fitted = draw_noise(choice.settings)
    # The chosen settings look better on the queries that chose them.
    assert fitted.mean() > choice.present.mean() + 0.01
    assert compare_values("ndcg@10", choice.present, choice.validated, 7).low < 0


def test_equal_seeds_choose_equal_settings() -> None:
    first, second = (
        choose_settings(draw_noise, SearchSettings(), SEARCH_SPACE, KEYS, BUDGET) for _ in range(2)
    )
    assert first.settings == second.settings
    assert np.array_equal(first.validated, second.validated)


def test_settings_of_the_other_stage_are_not_changed() -> None:
    present = SearchSettings(vector_weight=0.9, keyword_bound=77)

    def prefer_reranking(settings: SearchSettings) -> Values:
        return LEVELS + 0.1 * settings.rerank_weight

    choice = choose_settings(prefer_reranking, present, RERANK_SPACE, KEYS, BUDGET)
    assert choice.settings.rerank_weight == 1.0
    assert choice.settings == present.model_copy(update={"rerank_weight": 1.0})


def test_folds_are_equally_large_and_depend_only_on_the_ids() -> None:
    folds = assign_folds(KEYS, 7)
    counts = np.bincount(folds)
    assert (len(counts), counts.max() - counts.min()) == (7, 1)
    turned = assign_folds(KEYS[::-1], 7)
    assert np.array_equal(turned[::-1], folds)


def test_best_chunk_size_is_chosen_and_validated() -> None:
    measured = {(200, 20): LEVELS, (100, 0): LEVELS + 0.05, (150, 0): LEVELS - 0.1}
    best, validated = choose_chunking(measured, (200, 20), KEYS, 5)
    assert best == (100, 0)
    assert validated == pytest.approx(LEVELS + 0.05)


def test_chunk_size_that_gains_too_little_is_not_chosen() -> None:
    measured = {(200, 20): LEVELS, (100, 0): LEVELS + 0.0005}
    best, validated = choose_chunking(measured, (200, 20), KEYS, 5)
    assert best == (200, 20)
    assert np.array_equal(validated, LEVELS)


def test_present_chunk_size_is_tried_first_and_the_limit_of_the_model_counts() -> None:
    present = ChunkingSettings(max_tokens=128, overlap_tokens=10)
    tried = list_chunkings(present, 200)
    assert tried[0] == present
    assert {one.max_tokens for one in tried} == {128, 100, 150, 200}
