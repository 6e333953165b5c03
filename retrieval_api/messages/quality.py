"""Figures about searches, by collection and period."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from retrieval_api.messages.fields import Identifier, ResponseModel, StrictModel

MAX_PERIOD_DAYS = 92
DEFAULT_PERIOD_DAYS = 7

Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2199, 12, 31))]


class QualityParameters(StrictModel):
    """Which searches the figures are about: whole days (UTC), the last one included."""

    # What stands in a query string is text.
    model_config = ConfigDict(strict=False)

    collection: Identifier | None = Field(default=None, description="All without it.")
    first: Day | None = Field(
        default=None, alias="from", description="The first day; 6 days before `to` without it."
    )
    last: Day | None = Field(
        default=None, alias="to", description="The last day; today without it."
    )

    @model_validator(mode="after")
    def _check_period(self) -> QualityParameters:
        first, last = self.days
        if not 0 <= (last - first).days < MAX_PERIOD_DAYS:
            raise PydanticCustomError(
                "period",
                "from must not be after to, and both at most {most} days apart",
                {"most": MAX_PERIOD_DAYS - 1},
            )
        return self

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        last = self.last or datetime.now(UTC).date()
        return self.first or last - timedelta(days=DEFAULT_PERIOD_DAYS - 1), last


class Percentiles(ResponseModel):
    """Half, 95 and 99 of 100 values are at most this."""

    p50: float
    p95: float
    p99: float


class ScoreGap(ResponseModel):
    """How far the first hit's score was above the second one's, in one way of searching."""

    mode: str
    is_reranked: bool
    requests: int = Field(description="Searches with two hits or more.")
    p10: float
    p50: float
    p90: float


class RankedClicks(ResponseModel):
    """The clicks on hits at one rank."""

    rank: int
    clicks: int


class Drift(ResponseModel):
    """How far a day's queries are from those of the 30 days before."""

    queries: int
    reference_queries: int
    mmd: float = Field(description="Squared maximum mean discrepancy of the queries' vectors.")
    p_value: float = Field(description="Share of random divisions that are as far apart.")
    length_psi: float = Field(description="Population stability index of the queries' lengths.")


class IndexRecall(ResponseModel):
    """What the vector index finds of what is nearest."""

    generation: int
    queries: int
    recall_at_10: float


class Topic(ResponseModel):
    """Queries about one thing without a good answer."""

    name: str = Field(description="The most frequent stems of their words.")
    queries: int
    reasons: dict[Literal["zero_results", "not_useful", "low_score"], int]
    examples: list[str]


class DailyFigures(ResponseModel):
    """What is made once a day, for the latest day that has it."""

    day: date
    measured_at: datetime
    drift: Drift | None
    index_recall: IndexRecall | None
    unanswered_topics: list[Topic] = Field(description="Largest first.")


class CollectionQuality(ResponseModel):
    """One collection's searches. Null where nothing was counted."""

    collection: str
    requests: int
    is_partial: bool = Field(description="Only the newest 200,000 searches were read.")
    zero_results: int
    zero_result_ratio: float
    total_ms: Percentiles
    embed_ms: Percentiles | None
    retrieve_ms: Percentiles
    rerank_ms: Percentiles | None
    score_gaps: list[ScoreGap] = Field(description="Most frequent first.")
    hits: int
    stale_hits: int
    stale_hit_ratio: float | None
    hit_age_seconds: Percentiles | None
    clicks: int
    clicks_by_rank: list[RankedClicks]
    click_through_ratio: float = Field(description="Share of searches with a click.")
    reciprocal_rank: float | None = Field(
        description="Mean of one over the rank of the first clicked hit, where one was clicked."
    )
    answers_used: int
    feedback_count: int = Field(description="Verdicts: useful or not useful.")
    feedback_precision: float | None = Field(description="Share of verdicts that are useful.")
    reformulation_ratio: float | None = Field(
        description="Share of searches that the same caller followed within 60 seconds by a "
        "similar but different one."
    )
    daily: DailyFigures | None = None


class Quality(ResponseModel):
    """Figures about searches, by collection."""

    first_day: date
    last_day: date
    collections: list[CollectionQuality] = Field(description="Those that were searched, by name.")
