"""The settings of a source of kind `push`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragline.sources.settings import SourceSettings


class PushSettings(SourceSettings):
    """The settings of a source whose documents come from callers of the API.

    By default no removal is held, because every deletion is an explicit request.
    """

    kind: Literal["push"]
    max_removal_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the documents that one listing may remove. The default holds none, "
        "because each deletion is an explicit request.",
    )

    @property
    def address(self) -> str:
        """The route of the API that receives the documents."""
        return f"PUT /v1/collections/{self.collection}/documents/…"

    @property
    def is_local(self) -> bool:
        """Always true, because the documents are in Ragline's own database."""
        return True
