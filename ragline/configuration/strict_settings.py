"""The base class of settings, except those of sources, and the type of a share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class StrictSettings(BaseModel):
    """Settings that refuse unknown names and cannot be changed after their creation."""

    model_config = ConfigDict(extra="forbid", frozen=True)
