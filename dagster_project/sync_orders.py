"""What a listener and its process of syncs send each other: orders and answers, as JSON lines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SyncOrder:
    """The order to sync one source. `run_id` is the id of its Dagster run, `reason` its tag."""

    source: str
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """The result of one order. `error` says why the sync failed, or is None."""

    source: str
    error: str | None
    seconds: float
