"""The figures that are computed in Python: reformulation, drift, topics and index recall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.quality.drift import compare_samples, measure_drift, population_stability
from ragline.quality.index_recall import share_of_nearest
from ragline.quality.reformulation import RecordedQuery, jaccard, measure_reformulation
from ragline.quality.topics import Unanswered, group_topics

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asked(*items: tuple[str, float, str]) -> list[RecordedQuery]:
    """(client, seconds after noon, query)."""
    return [
        RecordedQuery(who, NOON + timedelta(seconds=after), query) for who, after, query in items
    ]


def test_similar_query_of_the_same_client_within_a_minute_is_a_reformulation():
    queries = asked(("a", 0, "parental leave weeks"), ("a", 30, "how many weeks parental leave"))
    assert measure_reformulation(queries) == 0.5


@pytest.mark.parametrize(
    "second",
    [
        ("a", 61, "weeks of parental leave"),
        ("b", 30, "weeks of parental leave"),
        ("a", 30, "lunch menu"),
        ("a", 30, "Parental  leave, weeks?"),
    ],
    ids=["too late", "another caller", "another question", "the same words"],
)
def test_other_queries_are_not_reformulations(second):
    assert measure_reformulation(asked(("a", 0, "parental leave weeks"), second)) == 0


def test_corrected_typing_error_is_a_reformulation():
    assert (
        measure_reformulation(asked(("a", 0, "parentel leav"), ("a", 5, "parental leave"))) == 0.5
    )


def test_reformulation_may_come_after_another_question():
    queries = asked(
        ("a", 0, "parental leave weeks"), ("a", 10, "lunch"), ("a", 20, "parental leave")
    )
    assert measure_reformulation(queries) == pytest.approx(1 / 3)


def test_reformulation_without_searches_is_unknown():
    assert measure_reformulation([]) is None


@given(st.frozensets(st.integers(0, 9)), st.frozensets(st.integers(0, 9)))
def test_jaccard_is_symmetric_and_within_zero_and_one(one, other):
    assert jaccard(one, other) == jaccard(other, one)
    assert 0 <= jaccard(one, other) <= 1
    assert jaccard(one, one) == bool(one)


def draw(count: int, around: int, seed: int) -> np.ndarray:
    """Unit vectors around an axis."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 0.2, (count, 16)).astype(np.float32)
    rows[:, around] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_samples_of_one_population_do_not_drift():
    values = [compare_samples(draw(60, 0, seed), draw(60, 0, 100 + seed))[1] for seed in range(40)]
    # The p-values of equal populations are uniformly distributed.
    assert 0.3 < np.mean(values) < 0.7
    assert sum(value < 0.05 for value in values) <= 6


def test_samples_of_two_populations_drift():
    mmd, p_value = compare_samples(draw(30, 0, 1), draw(30, 1, 2))
    assert mmd > 0.1
    assert p_value < 0.01


def test_equal_samples_are_at_distance_zero():
    rows = draw(30, 0, 1)
    mmd, p_value = compare_samples(rows, rows)
    assert mmd == pytest.approx(0, abs=1e-9)
    assert p_value > 0.9


def test_identical_queries_do_not_break_the_kernel():
    same = np.repeat(draw(1, 0, 1), 25, axis=0)
    assert compare_samples(same, same) == (0.0, 1.0)


def test_drift_of_few_queries_is_unknown():
    rows = draw(19, 0, 1)
    assert measure_drift(rows, draw(50, 0, 2), [1] * 19, [1] * 50) is None


def test_stability_index_grows_with_the_difference():
    short, long = list(range(10, 60)), list(range(60, 110))
    assert population_stability(short, short) == 0
    assert population_stability(short, long) > 0.25
    assert population_stability([7] * 30, [7] * 30) == 0
    assert population_stability([7] * 30, [8] * 30) > 0.25


def test_topics_are_grouped_by_meaning_and_named_by_their_words():
    vectors = np.concatenate([draw(4, 0, 1), draw(2, 5, 2)]).astype(np.float32)
    queries = [
        Unanswered("parking permit", "zero_results", ("park", "permit")),
        Unanswered("parking for cars", "low_score", ("park", "car")),
        Unanswered("parking permit", "zero_results", ("park", "permit")),
        Unanswered("where to park", "not_useful", ("park",)),
        Unanswered("vpn", "zero_results", ("vpn",)),
        Unanswered("vpn client", "zero_results", ("vpn", "client")),
    ]
    parking, vpn = group_topics(queries, vectors)
    assert (parking.queries, vpn.queries) == (4, 2)
    assert parking.name == "park permit car"
    assert vpn.name == "vpn client"
    assert parking.reasons == {"zero_results": 2, "low_score": 1, "not_useful": 1}
    assert parking.examples == ("parking permit", "parking for cars", "where to park")


def test_topic_of_stop_words_is_named_by_its_query():
    (topic,) = group_topics([Unanswered("who is it", "zero_results", ())], draw(1, 0, 1))
    assert topic.name == "who is it"


def test_without_queries_there_are_no_topics():
    assert group_topics([], np.empty((0, 16), np.float32)) == ()


def test_share_of_nearest_counts_found_entries_and_ties():
    nearest = [(1, 0.9), (2, 0.8), (3, 0.7), (4, 0.6)]
    assert share_of_nearest(nearest, nearest) == 1
    assert share_of_nearest([(1, 0.9), (2, 0.8), (9, 0.5), (8, 0.4)], nearest) == 0.5
    assert share_of_nearest([(1, 0.9), (2, 0.8), (3, 0.7), (5, 0.6)], nearest) == 1
    assert share_of_nearest([], nearest) == 0
