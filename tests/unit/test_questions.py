"""A client's question becomes the library's, with all that the library can be asked."""

from __future__ import annotations

from retrieval_api.messages.questions import make_question

CONDITION = {"metadata.year": {"gte": 2020}}


def test_question_finds_what_everybody_may_read():
    question = make_question("handbook", ["lunch"], top_k=3, rerank=True)
    assert (question.collection, question.top_k, question.rerank) == ("handbook", 3, True)
    assert question.principals == ()


def test_wordings_and_filter_are_passed_on():
    question = make_question("handbook", ["a", "b"], top_k=3, condition=CONDITION)
    assert question.queries == ("a", "b")
    assert question.filter == CONDITION
