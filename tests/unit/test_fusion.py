"""The fusion of both legs: scores, parts, ranks, and the order of equal scores."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.search.fusion import EMPTY_LEG, Candidate, Leg, Legs, fuse_legs

SCORES = st.integers(-20, 20).map(lambda number: number / 4)
WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0])


@st.composite
def make_leg(draw: st.DrawFn) -> Leg:
    scores = draw(st.dictionaries(st.integers(1, 30), SCORES, max_size=20))
    ordered = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return Leg(np.array(ordered, np.int64), np.array([scores[id_] for id_ in ordered], np.float64))


LEGS = st.builds(Legs, make_leg(), make_leg())


def fuse_in_loops(legs: Legs, vector_weight: float, depth: int) -> list[tuple[int, float]]:
    """The ids and fused scores, computed one by one from the definition."""
    fused: dict[int, float] = {}
    for leg, weight in ((legs.keyword, 1 - vector_weight), (legs.vector, vector_weight)):
        scores = [float(score) for score in leg.scores]
        for id_, score in zip(leg.ids, scores, strict=True) if weight > 0 else ():
            high, low = scores[0], scores[:depth][-1]
            share = max((score - low) / (high - low), 0) if high > low else 1
            fused[int(id_)] = fused.get(int(id_), 0.0) + weight * share
    vector = dict(zip(legs.vector.ids, legs.vector.scores, strict=True)) if vector_weight else {}
    order = sorted(fused, key=lambda id_: (-fused[id_], -vector.get(id_, -inf), id_))
    return [(id_, fused[id_]) for id_ in order]


@given(LEGS, WEIGHTS, st.integers(1, 25))
def test_fusion_equals_its_definition(legs: Legs, weight: float, depth: int) -> None:
    expected = fuse_in_loops(legs, weight, depth)
    fusion = fuse_legs(legs, weight, depth)
    assert fusion.list_ids(99) == [id_ for id_, _ in expected]
    assert fusion.list_scores(99) == [score for _, score in expected]


@given(LEGS, WEIGHTS, st.integers(1, 25))
def test_candidates_have_the_scores_and_ranks_of_their_legs(
    legs: Legs, weight: float, depth: int
) -> None:
    candidates = fuse_legs(legs, weight, depth).list_first(99)
    assert [one.rank for one in candidates] == list(range(1, len(candidates) + 1))
    for one in candidates:
        assert (one.vector_part or 0) + (one.keyword_part or 0) == one.score
        for leg, rank, score in (
            (legs.vector, one.vector_rank, one.vector_score),
            (legs.keyword, one.keyword_rank, one.keyword_score),
        ):
            assert (rank is None) == (score is None)
            if rank is not None:
                assert (leg.ids[rank - 1], leg.scores[rank - 1]) == (one.id, score)


@given(LEGS, WEIGHTS, st.sets(st.integers(1, 30)))
def test_chosen_entries_have_their_ranks_among_all(
    legs: Legs, weight: float, chosen: set[int]
) -> None:
    fusion = fuse_legs(legs, weight, 10)
    expected = [one for one in fusion.list_first(99) if one.id in chosen]
    assert fusion.list_entries(chosen) == expected


def test_example_has_the_computed_scores() -> None:
    legs = Legs(
        Leg(np.array([7, 3, 5]), np.array([9.0, 6.0, 1.0]), best_score=12.0),
        Leg(np.array([3, 4]), np.array([0.9, 0.5])),
    )
    first, second, *rest = fuse_legs(legs, 0.75, 2).list_first(9)
    assert first == Candidate(3, 0.75, 0.9, 6.0, 1, 2, 0.75, 0.0, 1, 0.9, 0.5)
    # The vector leg did not find the second entry: its cosine is at most the last one of the leg.
    assert second == Candidate(7, 0.25, None, 9.0, None, 1, None, 0.25, 2, 0.5, 0.75)
    # The scores of both are 0. The entry with a vector score is first.
    assert [one.id for one in rest] == [4, 5]
    # The keyword leg did not find the entry 4.
    assert (rest[0].cosine, rest[0].keyword_share) == (0.5, 0.0)


def test_leg_that_was_not_run_gives_no_evidence() -> None:
    leg = Leg(np.array([1]), np.array([2.0]), best_score=4.0)
    [by_vector] = fuse_legs(Legs(EMPTY_LEG, leg), 1.0, 10).list_first(1)
    assert (by_vector.cosine, by_vector.keyword_share) == (2.0, None)
    [by_keyword] = fuse_legs(Legs(leg, EMPTY_LEG), 0.0, 10).list_first(1)
    assert (by_keyword.cosine, by_keyword.keyword_share) == (None, 0.5)


def test_nothing_found_gives_no_candidates() -> None:
    fusion = fuse_legs(Legs(EMPTY_LEG, EMPTY_LEG), 0.5, 100)
    assert (fusion.list_first(10), fusion.list_ids(10), fusion.list_entries([1])) == ([], [], [])


def test_bytes_of_the_statement_are_read() -> None:
    ids = b"".join(int(id_).to_bytes(8, "big") for id_ in (2**40, 3))
    leg = Leg.read(ids, np.array([0.5, -1.25], ">f8").tobytes())
    assert (leg.ids.tolist(), leg.scores.tolist()) == ([2**40, 3], [0.5, -1.25])
    assert leg.first(1).ids.tolist() == [2**40]
    assert Leg.read(b"", b"").ids.tolist() == []


def test_depth_limits_both_legs() -> None:
    leg = Leg(np.array([1, 2, 3]), np.array([3.0, 2.0, 1.0]))
    assert Legs(leg, leg).first(2).vector.scores.tolist() == pytest.approx([3.0, 2.0])
