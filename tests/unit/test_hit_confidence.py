"""Calibrations: their fit, their figures, and how they remove hits."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.confidence.calibration import Calibration, SearchKind
from ragline.confidence.fitting import (
    MIN_OTHER,
    MIN_QUERIES,
    MIN_RELEVANT,
    JudgedHits,
    cross_validate,
    fit_calibration,
    rate_hits,
)
from ragline.confidence.reliability import measure_reliability
from ragline.configuration import CollectionSettings
from ragline.errors import InvalidSearchError
from ragline.search.entries import Entry
from ragline.search.fusion import Candidate
from ragline.search.hit_confidence import ConfidenceRule, keep_confident, make_rule, rate_entries
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import SearchRequest

WIDE = (-1e9, 1e9)
COSINE_ONLY = Calibration(("cosine",), (10.0,), -5.0, (WIDE,))
SETTINGS = CollectionSettings(name="notes")


def simulate_hits(queries: int, seed: int = 7) -> JudgedHits:
    """Ten hits a query, whose true probability of being relevant follows a logistic model."""
    random = np.random.default_rng(seed)
    values = random.uniform(0, 1, (queries * 10, 2))
    truth = 1 / (1 + np.exp(-(8 * values[:, 0] + 2 * values[:, 1] - 6)))
    relevant = (random.random(len(values)) < truth).astype(float)
    return JudgedHits(
        ("cosine", "log_keyword_share"), values, relevant, np.repeat(np.arange(queries), 10)
    )


def make_entry(cosine: float | None) -> Entry:
    candidate = Candidate(1, 1.0, cosine, None, 1, None, cosine=cosine)
    return Entry(1.0, {"id": 1}, candidate, 1)  # type: ignore[arg-type]  a row of the database


def make_generation(**calibration: object) -> LiveGeneration:
    stored = {"mode": "hybrid", "is_reranked": False, "model": None, "reason": None} | calibration
    return LiveGeneration(3, "english", 10, "c", "s", "m", calibrations=[stored])


def test_fit_finds_the_weights_of_the_true_model() -> None:
    calibration = fit_calibration(simulate_hits(400))
    assert calibration.weights == pytest.approx((8, 2), rel=0.15)
    assert calibration.intercept == pytest.approx(-6, rel=0.15)


def test_confidences_of_unknown_queries_are_probabilities() -> None:
    figures = cross_validate(simulate_hits(200))
    assert figures.hits == 2_000
    assert figures.expected_calibration_error < 0.04
    assert figures.brier < 0.8 * figures.base_brier


def test_evidence_that_says_nothing_gives_the_share_of_relevant_hits() -> None:
    hits = simulate_hits(200)
    noise = np.random.default_rng(1).uniform(0, 1, (2_000, 2))
    useless = JudgedHits(hits.evidence, noise, hits.is_relevant, hits.queries)
    confidences = rate_hits(fit_calibration(useless), noise)
    assert confidences == pytest.approx(hits.is_relevant.mean(), abs=0.1)


def test_evidence_that_hardly_varies_or_misleads_gives_no_extreme_confidence() -> None:
    hits = simulate_hits(200)
    values = hits.values.copy()
    values[:, 0] = 0.3 + 0.001 * values[:, 0]
    values[:, 1] = -values[:, 1]
    calibration = fit_calibration(JudgedHits(hits.evidence, values, hits.is_relevant, hits.queries))
    assert calibration.weights[1] == 0
    # No judged hit has values as large as these.
    assert calibration.rate([0.9, 1.0]) == calibration.rate([values[:, 0].max(), 1.0])


@pytest.mark.parametrize("relevance", [0.0, 1.0])
def test_hits_that_are_all_alike_give_a_constant_confidence(relevance: float) -> None:
    hits = simulate_hits(20)
    alike = JudgedHits(hits.evidence, hits.values, np.full(200, relevance), hits.queries)
    confidences = rate_hits(fit_calibration(alike), alike.values)
    assert np.ptp(confidences) == 0
    assert confidences[0] == pytest.approx(relevance, abs=0.01)


def test_each_shortage_of_judgements_is_named() -> None:
    few = simulate_hits(3)
    none_relevant = JudgedHits(few.evidence, few.values, np.zeros(30), few.queries)
    said = none_relevant.describe_shortage() or ""
    assert f"3 queries with hits, and at least {MIN_QUERIES} are needed" in said
    assert f"0 relevant hits, and at least {MIN_RELEVANT} are needed" in said
    all_relevant = JudgedHits(few.evidence, few.values, np.ones(30), few.queries)
    assert f"at least {MIN_OTHER} are needed" in (all_relevant.describe_shortage() or "")
    assert simulate_hits(MIN_QUERIES).describe_shortage() is None


def test_one_hit_and_many_hits_get_equal_confidences() -> None:
    calibration = fit_calibration(simulate_hits(50))
    values = np.random.default_rng(3).uniform(-1, 2, (50, 2))
    one_by_one = [calibration.rate(list(row)) for row in values]
    assert one_by_one == pytest.approx(list(rate_hits(calibration, values)))


def test_stored_calibration_gives_equal_confidences() -> None:
    calibration = Calibration(
        ("cosine", "rerank_score"), (3.0, 1.5), -2.0, (WIDE, WIDE), "late-interaction"
    )
    assert Calibration.read(calibration.to_json()) == calibration
    assert calibration.rate([0.4, 0.2]) == pytest.approx(1 / (1 + exp(2.0 - 1.2 - 0.3)))


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_confidence_is_a_probability_for_every_score(weight: float, score: float) -> None:
    confidence = Calibration(("rerank_score",), (weight,), 0.0, (WIDE,)).rate([score])
    assert confidence is not None
    assert 0 <= confidence <= 1


def test_hit_that_lacks_evidence_has_no_confidence() -> None:
    assert COSINE_ONLY.rate([None]) is None


def test_reliability_of_perfect_and_of_wrong_confidences() -> None:
    relevant = np.array([1.0, 1.0, 0.0, 0.0])
    perfect = measure_reliability(relevant, relevant)
    assert (perfect.expected_calibration_error, perfect.brier) == (0, 0)
    wrong = measure_reliability(1 - relevant, relevant)
    assert (wrong.expected_calibration_error, wrong.brier) == (1, 1)
    constant = measure_reliability(np.full(4, 0.5), relevant)
    assert constant.expected_calibration_error == 0
    assert constant.brier == constant.base_brier == 0.25
    assert [group.hits for group in constant.groups] == [4]


def test_each_kind_of_search_has_its_evidence() -> None:
    assert SearchKind("hybrid", is_reranked=False).evidence == ("cosine", "log_keyword_share")
    assert SearchKind("vector", is_reranked=False).evidence == ("cosine",)
    assert SearchKind("keyword", is_reranked=True).evidence == ("log_keyword_share", "rerank_score")


def test_hits_below_the_minimum_are_removed_with_a_note() -> None:
    entries = [make_entry(0.7), make_entry(0.5), make_entry(0.1), make_entry(None)]
    kept = keep_confident(ConfidenceRule(COSINE_ONLY, None, 0.5), entries)
    assert [entry.confidence for entry in kept.entries] == [round(1 / (1 + exp(-2)), 4), 0.5]
    assert not kept.is_abstained
    assert kept.note == (
        "2 of 4 hits have a confidence below 0.5 and were removed. The highest confidence is "
        "0.8808."
    )


def test_search_abstains_if_all_hits_are_removed_and_not_if_there_was_none() -> None:
    rule = ConfidenceRule(COSINE_ONLY, None, 0.9)
    rated = keep_confident(rule, [make_entry(0.1), make_entry(0.0)])
    assert (rated.is_abstained, rated.best_confidence) == (True, round(1 / (1 + exp(4)), 4))
    without = keep_confident(rule, [])
    assert (without.is_abstained, without.note, without.best_confidence) == (False, None, None)


def test_without_a_minimum_no_hit_is_removed() -> None:
    rated = keep_confident(
        ConfidenceRule(COSINE_ONLY, None, 0.0), [make_entry(-1), make_entry(None)]
    )
    assert [entry.confidence for entry in rated.entries] == [0.0, None]
    assert (rated.note, rated.best_confidence) == (None, 0.0)


def test_stated_minimum_needs_a_calibration() -> None:
    generation = make_generation(reason="the golden set has 3 queries")
    with pytest.raises(InvalidSearchError, match=r"no calibration .* the golden set has 3 queries"):
        make_rule(SearchRequest("notes", "q", min_confidence=0.5), SETTINGS, generation)
    without = LiveGeneration(3, "english", 10, "c", "s", "m")
    with pytest.raises(InvalidSearchError, match="`ragline calibrate notes` makes one"):
        make_rule(SearchRequest("notes", "q", min_confidence=0.5), SETTINGS, without)
    # 0 removes nothing, so it needs no calibration.
    assert make_rule(SearchRequest("notes", "q", min_confidence=0), SETTINGS, without).reason


def test_minimum_of_the_settings_without_a_calibration_is_stated_in_the_note() -> None:
    search = SETTINGS.search.model_copy(update={"min_confidence": 0.4})
    settings = SETTINGS.model_copy(update={"search": search})
    without = LiveGeneration(3, "english", 10, "c", "s", "m")
    rule = make_rule(SearchRequest("notes", "q"), settings, without)
    rated = keep_confident(rule, [make_entry(0.1)])
    assert (len(rated.entries), rated.best_confidence) == (1, None)
    assert "The setting search.min_confidence 0.4 has no effect." in (rated.note or "")
    # The request has priority over the settings.
    calibrated = make_generation(model=COSINE_ONLY.to_json())
    assert make_rule(SearchRequest("notes", "q"), settings, calibrated).min_confidence == 0.4
    asked = SearchRequest("notes", "q", min_confidence=0.0)
    assert make_rule(asked, settings, calibrated).min_confidence == 0.0


def test_calibration_of_another_kind_or_another_reranker_is_not_used() -> None:
    calibrated = make_generation(model=COSINE_ONLY.to_json())
    vector = make_rule(SearchRequest("notes", "q", mode="vector"), SETTINGS, calibrated)
    assert vector.calibration is None
    assert "searches of the kind vector" in (vector.reason or "")
    other = Calibration(("rerank_score",), (1.0,), log(2), (WIDE,), "a-cross-encoder")
    reranked = make_generation(model=other.to_json(), is_reranked=True)
    rule = make_rule(SearchRequest("notes", "q", rerank=True), SETTINGS, reranked)
    assert rule.calibration is None
    assert "is for the reranker a-cross-encoder, and this search uses late-interaction" in (
        rule.reason or ""
    )
    assert rate_entries(rule, [make_entry(0.5)])[0].confidence is None
