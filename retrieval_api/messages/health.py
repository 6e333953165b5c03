"""Whether the service is there and ready."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel


class Alive(ResponseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(ResponseModel):
    """Searches can be answered; those that need a model that failed cannot."""

    status: Literal["ready"] = "ready"
    parts: dict[str, Literal["ready"]] = Field(examples=[{"database": "ready", "model": "ready"}])
    failed_model_count: int | None = Field(
        default=None,
        description="Embedding models that could not be loaded, if any; the log says which.",
    )
