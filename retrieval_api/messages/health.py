"""The health of the service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel


class Alive(ResponseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(ResponseModel):
    """The service answers searches. It refuses searches whose model failed to load."""

    status: Literal["ready"] = "ready"
    parts: dict[str, Literal["ready"]] = Field(examples=[{"database": "ready", "model": "ready"}])
    failed_model_count: int | None = Field(
        default=None,
        description="The number of embedding models that failed to load. The log names them.",
    )
