"""A client's question becomes the library's, with all that the library can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError

from ragline.search.messages import SearchRequest
from retrieval_api.questions import make_question

CONDITION = {"metadata.year": {"gte": 2020}}


@dataclass(frozen=True)
class FilteringRequest:
    """As a request is once searches know filters and several queries."""

    collection: str
    query: str
    top_k: int
    rerank: bool
    alternatives: tuple[str, ...]
    filter: Mapping[str, Any] | None = None


def test_question_finds_what_everybody_may_read():
    question = make_question("handbook", ["lunch"], top_k=3, rerank=True)
    assert (question.collection, question.top_k, question.rerank) == ("handbook", 3, True)
    assert question.principals == ()


def test_filter_is_passed_on_where_searches_know_it(monkeypatch):
    monkeypatch.setattr("retrieval_api.questions.SearchRequest", FilteringRequest)
    question = make_question("handbook", ["a", "b"], top_k=3, condition=CONDITION)
    assert question == FilteringRequest("handbook", "a", 3, False, ("b",), CONDITION)


@pytest.mark.skipif(
    "filter" in {field.name for field in fields(SearchRequest)}, reason="searches know filters"
)
def test_filter_is_refused_and_not_forgotten_where_they_do_not():
    with pytest.raises(RequestValidationError):
        make_question("handbook", ["lunch"], top_k=3, condition=CONDITION)
