"""Searches of clients that state no principals."""

from __future__ import annotations

from retrieval_api.operations.searches import make_search

CONDITION = {"metadata.year": {"gte": 2020}}


def test_search_without_principals_finds_public_documents():
    search = make_search("handbook", ["lunch"], top_k=3, rerank=True)
    assert (search.collection, search.top_k, search.rerank) == ("handbook", 3, True)
    assert search.principals == ()


def test_wordings_and_filter_are_passed_on():
    search = make_search("handbook", ["a", "b"], top_k=3, filter=CONDITION)
    assert search.queries == ("a", "b")
    assert search.filter == CONDITION
