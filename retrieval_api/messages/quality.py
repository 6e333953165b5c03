"""Figures about the searches of one period, by collection."""

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
    """The collection and the period of the figures: whole days (UTC), including the last day."""

    # Values in a query string are text.
    model_config = ConfigDict(strict=False)

    collection: Identifier | None = Field(
        default=None, description="The collection. Default: all collections."
    )
    first: Day | None = Field(
        default=None, alias="from", description="The first day. Default: 6 days before `to`."
    )
    last: Day | None = Field(default=None, alias="to", description="The last day. Default: today.")

    @model_validator(mode="after")
    def _check_period(self) -> QualityParameters:
        first, last = self.days
        if not 0 <= (last - first).days < MAX_PERIOD_DAYS:
            raise PydanticCustomError(
                "period",
                "from must not be after to, and at most {most} days before it",
                {"most": MAX_PERIOD_DAYS - 1},
            )
        return self

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        last = self.last or datetime.now(UTC).date()
        return self.first or last - timedelta(days=DEFAULT_PERIOD_DAYS - 1), last


class Percentiles(ResponseModel):
    """The 50th, 95th and 99th percentile."""

    p50: float
    p95: float
    p99: float


class ScoreGap(ResponseModel):
    """Percentiles of the difference between the scores of the first two hits, for one mode."""

    mode: str
    is_reranked: bool
    requests: int = Field(description="The number of searches with at least two hits.")
    p10: float
    p50: float
    p90: float


class RankedClicks(ResponseModel):
    """The number of clicks on hits with one rank."""

    rank: int
    clicks: int


class Drift(ResponseModel):
    """The difference between the queries of a day and the queries of the 30 days before."""

    queries: int
    reference_queries: int
    mmd: float = Field(description="Squared maximum mean discrepancy of the query embeddings.")
    p_value: float = Field(
        description="The share of random divisions of these queries that differ at least as much."
    )
    length_psi: float = Field(description="Population stability index of the query lengths.")


class IndexRecall(ResponseModel):
    """The share of the exact nearest entries that the vector index returns."""

    generation: int
    queries: int
    recall_at_10: float


class Topic(ResponseModel):
    """Queries on one topic that had no good hit."""

    name: str = Field(description="The most frequent word stems of the queries.")
    queries: int
    reasons: dict[Literal["zero_results", "abstained", "not_useful", "low_score"], int]
    examples: list[str]


class DailyFigures(ResponseModel):
    """Figures that Ragline computes once a day. They describe the last day that has figures."""

    day: date
    measured_at: datetime
    drift: Drift | None
    index_recall: IndexRecall | None
    unanswered_topics: list[Topic] = Field(description="The topics. The largest is first.")


class CollectionQuality(ResponseModel):
    """The searches of one collection. A figure without data is null."""

    collection: str
    requests: int
    is_partial: bool = Field(description="Whether only the newest 200,000 searches are included.")
    zero_results: int = Field(description="The number of searches that found nothing.")
    zero_result_ratio: float
    abstained: int = Field(
        description="The number of searches whose hits were all below `min_confidence`."
    )
    abstained_ratio: float
    total_ms: Percentiles
    embed_ms: Percentiles | None
    retrieve_ms: Percentiles
    rerank_ms: Percentiles | None
    score_gaps: list[ScoreGap] = Field(
        description="The score gaps by mode. The mode with the most searches is first."
    )
    hits: int
    stale_hits: int
    stale_hit_ratio: float | None
    hit_age_seconds: Percentiles | None
    clicks: int
    clicks_by_rank: list[RankedClicks]
    click_through_ratio: float = Field(description="The share of searches with a click.")
    reciprocal_rank: float | None = Field(
        description="The mean of 1 / (rank of the first clicked hit), over searches with a click."
    )
    answers_used: int
    feedback_count: int = Field(description="The number of opinions: useful or not useful.")
    feedback_precision: float | None = Field(description="The share of opinions that are `useful`.")
    reformulation_ratio: float | None = Field(
        description="The share of searches after which the caller sent a similar search, but not "
        "the same, within 60 seconds."
    )
    daily: DailyFigures | None = None


class Quality(ResponseModel):
    """Figures about searches, by collection."""

    first_day: date
    last_day: date
    collections: list[CollectionQuality] = Field(
        description="The collections with searches, sorted by name."
    )
