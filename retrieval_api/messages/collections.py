"""Collections, their sources, and how fresh they are."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel


class SourceState(ResponseModel):
    """A source of a collection, how long ago it was read to its end, and its latest sync."""

    name: str
    kind: str
    listed_at: datetime | None
    age_seconds: float | None = Field(description="Time since listed_at.")
    last_run_id: str | None = Field(description="Its latest sync; null before the first.")
    last_started_at: datetime | None
    last_finished_at: datetime | None = Field(description="Null while it runs or if it failed.")


class CollectionState(ResponseModel):
    """A collection, and what its live index holds."""

    name: str
    embedding_model: str | None = Field(
        description="The live index's model, before the first sync the configured one."
    )
    generation: int | None = Field(description="The live index; null before the first sync.")
    promoted_at: datetime | None
    documents: int = Field(description="Documents in the live index.")
    entries: int = Field(description="Chunks in the live index.")
    sources: list[SourceState]


class Collections(ResponseModel):
    """Every collection that can be named in a search, by name."""

    collections: list[CollectionState]


class ClockReadings(ResponseModel):
    """How long changes took in the last 30 days, from the source's change to its effect."""

    count: int
    late: int = Field(description="How many took longer than declared.")
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Clock(ResponseModel):
    """A declared time, and whether it is kept."""

    within_seconds: float = Field(description="What the configuration declares.")
    waiting_seconds: float = Field(description="The longest that anything waits now.")
    state: Literal["kept", "late", "unproven"] = Field(
        description="`unproven`: nothing is known to wait, but nobody looked within that time."
    )
    readings: ClockReadings


class HeldRemovals(ResponseModel):
    """Removals that wait for somebody's word, because too many came at once."""

    count: int
    since: datetime
    documents: list[str] = Field(description="The first of them, by id.")


class SyncProof(ResponseModel):
    """The last comparison of source, ledger and index."""

    proven_at: datetime
    holds: bool
    is_listed: bool = Field(description="Whether the source itself was asked.")
    documents: int
    hashed_documents: int = Field(description="Read from the source and compared by SHA-256.")
    entries: int
    largest_unseen_ratio: float = Field(
        description="At most this share differs unseen, with a confidence of 95 %."
    )
    difference_count: int


class Alarm(ResponseModel):
    """Something that somebody has to look at: one for each trouble, gone when that is over."""

    name: str = Field(description="The kind of trouble, such as `source_unreachable`.")
    severity: Literal["error", "warning"]
    collection: str
    source: str | None = Field(description="Null where the whole collection is concerned.")
    documents: list[str] = Field(description="The first few documents concerned, by id.")
    cause: str
    remedy: str = Field(description="What to do.")
    since: datetime | None = Field(description="When it began, as far as that is known.")
    runbook: str = Field(description="The page of the repository that says more.")
    text: str = Field(description="All of it in one sentence, as in `alarms`.")


class SourceFreshness(ResponseModel):
    """One source: when it was seen last, how its clocks stand, what is wrong."""

    source: str
    listed_at: datetime | None = Field(description="When it was last listed to its end.")
    proven_at: datetime | None = Field(description="When it was last seen to be as it is here.")
    unreachable_since: datetime | None
    visible: Clock = Field(description="From a change to its being found.")
    forgotten: Clock = Field(description="From a removal to its being found no more.")
    held: HeldRemovals | None
    proof: SyncProof | None
    alarms: list[str] = Field(description="What somebody has to look at, in words.")
    alarm_details: list[Alarm] = Field(description="The same, field by field.")


class Freshness(ResponseModel):
    """How fresh a collection is. `alarms` are its own; those of a source stand with the source."""

    collection: str
    is_fresh: bool = Field(
        description="Every source was synced and looked at within its clocks; none has an alarm."
    )
    sources: list[SourceFreshness]
    alarms: list[str] = Field(description="What concerns the whole collection, in words.")
    alarm_details: list[Alarm] = Field(description="The same, field by field.")
