"""The settings of the rollout: shadow reads, the canary and the watch after a promotion."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from ragline.configuration.strict_settings import Share, StrictSettings
from ragline.sources.settings import Duration

RollbackMode = Literal["automatic", "manual"]


class RolloutSettings(StrictSettings):
    """How real searches test a new generation, before and after its promotion (docs/rollout.md)."""

    shadow_share: Share = Field(
        default=0.0,
        description="Share of the searches, from 0 to 1, that the service also sends to the "
        "candidate, after the answer. The caller never receives this second answer. `ragline "
        "gate` judges the errors and the times of these searches. `ragline serve` reads this "
        "setting at its start.",
    )
    canary_share: Share = Field(
        default=0.0,
        description="Share of the callers, from 0 to 1, that receive their answers from the "
        "candidate. A hash of the key chooses them. Without keys, it is a hash of the client. If "
        "the candidate does not exist any more or fails, the live generation answers. `ragline "
        "serve` reads this setting at its start.",
    )
    watch_for: Duration = Field(
        default=timedelta(days=1),
        description="Time after a promotion in which the searches are compared with those of the "
        "days before it.",
    )
    baseline_days: int = Field(
        default=7,
        ge=1,
        le=28,
        description="Number of days before the promotion whose searches are the reference. "
        "During the first day, only the same hours of these days are used.",
    )
    min_searches: int = Field(
        default=100,
        ge=20,
        description="Minimum number of searches of each group. With fewer searches, a figure is "
        "not decided.",
    )
    zero_result_margin: Share = Field(
        default=0.05,
        gt=0,
        description="How much the share of the searches that found nothing may rise.",
    )
    low_confidence_margin: Share = Field(
        default=0.1,
        gt=0,
        description="How much the share of the searches with a low confidence may rise. The "
        "confidence of a search is the highest confidence of its hits. It is low below "
        "`search.min_confidence`, or below 0.3 if that is 0.",
    )
    stale_margin: Share = Field(
        default=0.05,
        gt=0,
        description="How much the share of the searches with a stale hit may rise.",
    )
    click_margin: Share = Field(
        default=0.2,
        gt=0,
        description="How much the share of the searches with a click may fall, relative to this "
        "share. With 0.2, a share of 30 % may fall to 24 %.",
    )
    rollback: RollbackMode = Field(
        default="manual",
        description="Who returns to the previous generation if the figures become worse than their "
        "margins. `manual`: an operator does. `automatic`: the pipeline does it by itself.",
    )
