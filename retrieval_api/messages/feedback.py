"""Feedback on a hit: an action of a person, or an opinion."""

from __future__ import annotations

from typing import Annotated, cast
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ragline.search.recording import FeedbackKind
from retrieval_api.messages.fields import Identifier, ResponseModel, RowId, StrictModel


class FeedbackBody(StrictModel):
    """An action of a person on one hit of a search, or an opinion about the hit."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["kind"]}, {"required": ["useful"]}],
            "anyOf": [
                {"required": ["document_id"], "properties": {"document_id": {"type": "string"}}},
                {"required": ["entry_id"], "properties": {"entry_id": {"type": "integer"}}},
            ],
        }
    )

    request_id: Annotated[
        Identifier,
        Field(
            description="The `request_id` of the search's response.",
            examples=["6f1c2a34-0e3e-4c5e-9a8e-7e1f5d0c9b11"],
        ),
    ]
    document_id: Annotated[Identifier, Field(examples=["policies/leave.md"])] | None = Field(
        default=None,
        description="The id of the document. The feedback refers to the first hit of the document.",
    )
    entry_id: RowId | None = Field(
        default=None,
        description="The `entry_id` in the hit's receipt. Send `document_id`, `entry_id` or both.",
    )
    # The type is not `None | …`, because null in the body is an error. The field can be missing.
    kind: FeedbackKind = Field(
        default=cast("FeedbackKind", None),
        description="`useful` and `not_useful` are opinions. A later opinion replaces the earlier "
        "one. `click` and `answer_used` are actions.",
    )
    useful: bool = Field(
        default=cast("bool", None),
        description="Can replace `kind`: true means `useful`, false means `not_useful`.",
    )

    @model_validator(mode="after")
    def _check_choices(self) -> FeedbackBody:
        given = self.model_fields_set
        if len(given & {"kind", "useful"}) != 1:
            raise PydanticCustomError("choice", "give either kind or useful")
        if self.document_id is None and self.entry_id is None:
            raise PydanticCustomError("choice", "give document_id or entry_id")
        return self

    @property
    def stated_kind(self) -> FeedbackKind:
        """The kind of the feedback, from `kind` or from `useful`."""
        if "kind" in self.model_fields_set:
            return self.kind
        return "useful" if self.useful else "not_useful"


class RecordedFeedback(ResponseModel):
    """The feedback as it is stored. `useful` is set if the request contained `useful`."""

    request_id: UUID
    document_id: str
    entry_id: int | None = None
    kind: FeedbackKind | None = None
    rank: int | None = Field(default=None, description="The hit's rank in the response, from 1.")
    useful: bool | None = None
