"""The change of a source that a caller or a webhook signals."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from ragline.sources.change_signals import SignalReason
from retrieval_api.messages.fields import Identifier, ResponseModel, StrictModel


class ChangedDocuments(StrictModel):
    """The documents of a source that have changed. The body is optional."""

    document_ids: list[Identifier] | None = Field(
        default=None,
        min_length=1,
        description="The ids of the documents that were added, changed or removed. Without this "
        "field, any document can have changed.",
        examples=[["policies/leave.md"]],
    )


class RecordedChange(ResponseModel):
    """The recorded signal of a change. The next sync lists the source and clears the signal."""

    source: str
    collection: str
    is_recorded: bool = Field(
        description="False if the event of a webhook does not change the source, for example "
        "because another branch was pushed."
    )
    reason: SignalReason = Field(description="The sender: `request` for a caller with a key.")
    document_ids: list[str] | None = Field(
        description="The recorded documents. It is null if the whole source counts as changed."
    )
    signalled_at: datetime | None
    listed_at: datetime | None = Field(
        description="The time of the last complete listing of the source. It is null before the "
        "first sync."
    )
