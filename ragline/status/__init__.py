"""Reads the state of sources and collections for operators: counts, clocks, failures, alarms.

`database_status` reads the whole state. `source_status`, `collection_status` and `clocks` define
its parts. The SQL statements are in `sql/queries/status`.
"""

from ragline.status.clocks import (
    CLOCK_DAYS,
    Clock,
    ClockReadings,
    ClockState,
    evaluate_clock,
    read_clock_seconds,
)
from ragline.status.collection_status import CollectionStatus
from ragline.status.database_status import Status, read_documents, read_status
from ragline.status.source_status import (
    NAMED_DOCUMENTS,
    HeldRemovals,
    ProofStatus,
    SourceStatus,
)

__all__ = [
    "CLOCK_DAYS",
    "NAMED_DOCUMENTS",
    "Clock",
    "ClockReadings",
    "ClockState",
    "CollectionStatus",
    "HeldRemovals",
    "ProofStatus",
    "SourceStatus",
    "Status",
    "evaluate_clock",
    "read_clock_seconds",
    "read_documents",
    "read_status",
]
