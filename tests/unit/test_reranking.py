"""Late interaction scores, and the blend of two scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.configuration import CollectionSettings
from ragline.errors import ModelUnavailableError, RaglineError, RerankingError
from ragline.rerankers import NAMED_RERANKERS
from ragline.rerankers.late_interaction import late_interaction_scores
from ragline.rerankers.reranker import score_texts
from ragline.search.rerank_stage import blend_scores

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)
LENGTHS = st.lists(st.integers(min_value=0, max_value=12), min_size=1, max_size=8)
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def unit_rows(generator: np.random.Generator, count: int, dimension: int = 16) -> np.ndarray:
    rows = generator.standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(SEEDS, st.integers(1, 9), LENGTHS)
def test_score_is_the_mean_of_each_query_tokens_best_cosine(
    seed: int, query_length: int, lengths: list[int]
):
    generator = np.random.default_rng(seed)
    query = unit_rows(generator, query_length)
    candidates = [unit_rows(generator, length) for length in lengths]
    expected = [
        sum(max(float(q @ t) for t in tokens) for q in query) / query_length if len(tokens) else 0
        for tokens in candidates
    ]
    assert late_interaction_scores(query, candidates) == pytest.approx(expected, abs=1e-5)


@given(SEEDS, LENGTHS)
def test_score_of_a_candidate_does_not_depend_on_the_others(seed: int, lengths: list[int]):
    generator = np.random.default_rng(seed)
    query = unit_rows(generator, 4)
    candidates = [unit_rows(generator, length) for length in lengths]
    together = late_interaction_scores(query, candidates)
    single = [late_interaction_scores(query, [candidate])[0] for candidate in candidates]
    assert together == pytest.approx(single, abs=1e-6)


def test_text_with_all_tokens_of_the_query_scores_one():
    tokens = unit_rows(np.random.default_rng(0), 5)
    assert late_interaction_scores(tokens[:2], [tokens]) == pytest.approx([1.0])


def test_candidate_without_tokens_scores_zero():
    tokens = unit_rows(np.random.default_rng(0), 3)
    empty = np.empty((0, 16), dtype=np.float32)
    assert late_interaction_scores(tokens, [empty, tokens, empty]) == pytest.approx([0, 1, 0])


def test_no_candidates_give_no_scores():
    tokens = unit_rows(np.random.default_rng(0), 3)
    assert late_interaction_scores(tokens, []) == []


@given(SCORES, st.floats(0, 1), st.data())
def test_blended_scores_are_between_zero_and_one(
    fused: list[float], weight: float, data: st.DataObject
):
    reranked = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=len(fused), max_size=len(fused)))
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in blend_scores(fused, reranked, weight))


@given(SCORES)
def test_weight_of_zero_keeps_the_fused_order(fused: list[float]):
    blended = blend_scores(fused, fused[::-1], weight=0)
    assert np.all(np.diff(np.array(blended)[np.argsort(fused, kind="stable")]) >= 0)


def test_equal_weights_give_the_mean_of_both_scales():
    assert blend_scores([1.0, 3.0, 2.0], [-5.0, 0.0, 5.0]) == pytest.approx([0.0, 0.75, 0.75])


def test_equal_scores_do_not_change_the_order():
    assert blend_scores([2.0, 2.0], [0.1, 0.9]) == pytest.approx([0.5, 1.0])


def test_the_only_candidate_scores_one():
    assert blend_scores([0.3], [-0.2]) == [1.0]


def test_empty_lists_blend_to_an_empty_list():
    assert blend_scores([], []) == []


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"longer|shorter"):
        blend_scores([1.0, 2.0], [1.0])


class Scorer:
    """A reranker that returns given scores, or raises a given error."""

    name = "scorer"

    def __init__(self, result: list[float] | Exception) -> None:
        self.result = result

    def score_texts(self, query: str, texts: Sequence[str]) -> list[float]:
        del query, texts
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_scores_of_a_reranker_are_returned():
    assert score_texts(Scorer([0.5, -2.0]), "tea", ["a", "b"]) == [0.5, -2.0]


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (RuntimeError("out of memory"), RerankingError, "scorer failed: RuntimeError: out of"),
        (ModelUnavailableError("no model"), ModelUnavailableError, "no model"),
        ([0.5], RerankingError, "one finite number for each of 2 texts"),
        ([0.5, float("nan")], RerankingError, "one finite number for each of 2 texts"),
    ],
)
def test_failure_of_a_reranker_has_a_named_error(
    result: list[float] | Exception, error: type[RaglineError], message: str
):
    with pytest.raises(error, match=message):
        score_texts(Scorer(result), "tea", ["a", "b"])


def test_description_of_the_setting_names_each_reranker():
    description = CollectionSettings.model_fields["reranker"].description or ""
    assert [name for name in NAMED_RERANKERS if f"`{name}`" not in description] == []
