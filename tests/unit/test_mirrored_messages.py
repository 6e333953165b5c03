"""A response message has the same fields as the class of the library that it is made from."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from ragline import alarms, status
from ragline.gate import stored_reports
from ragline.index_card import card
from ragline.lifecycle import approvals, generation_decisions
from ragline.quality import drift, figures, golden_proposals, index_recall, topics
from ragline.search import document_explanation, inspection, messages
from retrieval_api.messages import (
    collections,
    explanations,
    generations,
    index_card,
    quality,
    search,
)
from retrieval_api.messages import golden_proposals as proposal_messages
from retrieval_api.messages import inspection as inspection_messages

# The module of the messages, and the modules of the library with classes of the same name.
MODULES = (
    (search, (messages,)),
    (inspection_messages, (inspection,)),
    (explanations, (document_explanation,)),
    (collections, (status, alarms)),
    (generations, (stored_reports, approvals, generation_decisions)),
    (quality, (drift, figures, index_recall, topics)),
    (index_card, (card,)),
    (proposal_messages, (golden_proposals,)),
)


def list_pairs() -> list[Any]:
    return [
        pytest.param(message, getattr(library, name), id=name)
        for module, libraries in MODULES
        for name, message in vars(module).items()
        if isinstance(message, type) and issubclass(message, BaseModel)
        for library in libraries
        if is_dataclass(getattr(library, name, None))
    ]


@pytest.mark.parametrize(("message", "library"), list_pairs())
def test_message_and_class_have_the_same_fields(message: type[BaseModel], library: type) -> None:
    assert set(message.model_fields) == {field.name for field in fields(library)}


def test_pairs_are_found() -> None:
    assert len(list_pairs()) >= 15
