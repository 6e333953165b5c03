"""A client's search becomes the library's, with all that the library can be asked."""

from __future__ import annotations

from retrieval_api.operations.searches import make_search

CONDITION = {"metadata.year": {"gte": 2020}}


def test_question_finds_what_everybody_may_read():
    search = make_search("handbook", ["lunch"], top_k=3, rerank=True)
    assert (search.collection, search.top_k, search.rerank) == ("handbook", 3, True)
    assert search.principals == ()


def test_wordings_and_filter_are_passed_on():
    search = make_search("handbook", ["a", "b"], top_k=3, filter=CONDITION)
    assert search.queries == ("a", "b")
    assert search.filter == CONDITION
