"""The settings of a source of kind `push`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragline.sources.settings import SourceSettings


class PushSettings(SourceSettings):
    """Documents that callers put into the collection. Nothing has to be said of where they are.

    Every deletion is somebody's explicit word, so by default none is held back.
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
        """The route that takes the documents."""
        return f"PUT /v1/collections/{self.collection}/documents/…"

    @property
    def is_local(self) -> bool:
        """Always: the documents lie in Ragline's own database."""
        return True
