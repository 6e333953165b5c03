"""Collections, their sources, and their freshness."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from retrieval_api.messages.fields import ResponseModel


class SourceState(ResponseModel):
    """A source of a collection, the age of its last complete listing, and its last sync."""

    name: str
    kind: str
    listed_at: datetime | None = Field(description="The time of the last complete listing.")
    age_seconds: float | None = Field(description="The time since `listed_at`.")
    last_run_id: str | None = Field(
        description="The run of the last sync; null before the first sync."
    )
    last_started_at: datetime | None
    last_finished_at: datetime | None = Field(
        description="The end of the last sync. Null while the sync runs, and if it failed."
    )


class CollectionState(ResponseModel):
    """A collection, and the size of its live index."""

    name: str
    embedding_model: str | None = Field(
        description="The model of the live index. Before the first sync: the configured model."
    )
    generation: int | None = Field(description="The live generation; null before the first.")
    promoted_at: datetime | None
    documents: int = Field(description="The number of documents in the live index.")
    entries: int = Field(description="The number of chunks in the live index.")
    sources: list[SourceState]


class Collections(ResponseModel):
    """The collections that the caller can search, sorted by name."""

    collections: list[CollectionState]


class ClockReadings(ResponseModel):
    """The readings of a clock in the last 30 days: the times until searches showed a change."""

    count: int
    late: int = Field(description="The number of changes that took longer than the limit.")
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Clock(ResponseModel):
    """One of the two clocks of a source: its limit, and the longest time that a change waits."""

    within_seconds: float = Field(description="The limit in the configuration.")
    waiting_seconds: float = Field(description="The longest time that a change waits now.")
    state: Literal["kept", "late", "unproven"] = Field(
        description="`kept`: no change waits longer than the limit. `late`: a change waits longer "
        "than the limit. `unproven`: no change is known to wait, but Ragline did not check the "
        "source within the limit."
    )
    readings: ClockReadings


class HeldRemovals(ResponseModel):
    """Removals that wait for an operator, because a listing lacked too many documents."""

    count: int = Field(description="The number of held removals.")
    since: datetime = Field(description="The time since which the oldest of them is held.")
    documents: list[str] = Field(description="The ids of the first held documents.")


class SyncProof(ResponseModel):
    """The last sync proof: a comparison of source, ledger and index."""

    proven_at: datetime
    holds: bool = Field(
        description="True if the proof found no fault, and the source could be listed."
    )
    is_listed: bool = Field(description="Whether the proof includes a listing of the source.")
    documents: int
    hashed_documents: int = Field(
        description="The number of documents that were read from the source and compared by "
        "SHA-256."
    )
    entries: int
    largest_unseen_ratio: float = Field(
        description="With a confidence of 95 %, at most this share of the documents differs "
        "without being found."
    )
    difference_count: int


class Alarm(ResponseModel):
    """A condition that an operator must act on. The alarm ends when the condition ends."""

    name: str = Field(description="The kind of alarm, such as `source_unreachable`.")
    severity: Literal["error", "warning"]
    collection: str
    source: str | None = Field(description="Null if the alarm concerns the whole collection.")
    documents: list[str] = Field(
        description="The ids of the first documents that the alarm concerns."
    )
    cause: str
    remedy: str = Field(description="What to do.")
    since: datetime | None = Field(description="When the condition began; null if unknown.")
    runbook: str = Field(description="The path of the runbook in the repository.")
    text: str = Field(description="The alarm in one sentence, as in `alarms`.")


class SourceFreshness(ResponseModel):
    """One source: its last listing, its clocks, its held removals and its alarms."""

    source: str
    listed_at: datetime | None = Field(description="The time of the last complete listing.")
    proven_at: datetime | None = Field(
        description="The last time when Ragline knew all changes of the source: a listing, or a "
        "probe that found no change."
    )
    unreachable_since: datetime | None = Field(
        description="The time since which the source is unreachable; null if it is reachable."
    )
    visible: Clock = Field(
        description="The clock from a change in the source until searches show the change."
    )
    forgotten: Clock = Field(
        description="The clock from a removal in the source until searches no longer show the "
        "document."
    )
    held: HeldRemovals | None = Field(description="The held removals; null if no removal is held.")
    proof: SyncProof | None = Field(description="The last sync proof; null before the first.")
    alarms: list[str] = Field(description="The alarms of the source, each in one sentence.")
    alarm_details: list[Alarm] = Field(description="The same alarms, with their fields.")


class Freshness(ResponseModel):
    """The freshness of a collection. The alarms of a source are in `sources`."""

    collection: str
    is_fresh: bool = Field(
        description="True if both clocks of every source are within their limits, and no source "
        "has an alarm."
    )
    sources: list[SourceFreshness]
    alarms: list[str] = Field(description="The alarms of the whole collection.")
    alarm_details: list[Alarm] = Field(description="The same alarms, with their fields.")
