"""The state of the pipeline for Prometheus: clocks, documents, removals, proofs, sources, alarms.

The values are those of `ragline status`. They are read from the database at most once in `CACHE_S`.
The thread that answers a scrape does not read them. While the database is unavailable, only
`ragline_pipeline_status_readable` is exported, so that no old value appears as current.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from threading import Lock
from time import monotonic

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ragline.alarms import Alarm
from ragline.errors import RaglineError
from ragline.status import CollectionStatus, SourceStatus, Status, read_status
from ragline.storage.connections import StatementError, describe_cause
from ragline.storage.database import Database

logger = logging.getLogger(__name__)

CACHE_S = 15.0
# Values that are older than this are not exported.
MAX_STATUS_AGE_S = 60.0
SOURCE_LABELS = ("collection", "source")
CLOCKS = ("visible", "forgotten")
CLOCK_STATES = ("kept", "late", "unproven")
BUILD_ALARMS = ("generation_build_failed", "settings_refused")

# The name, the meaning and the labels of each gauge.
GAUGES = (
    (
        "ragline_pipeline_status_readable",
        "1 while the service can read the state of the pipeline, otherwise 0.",
        (),
    ),
    ("ragline_source_clock_limit_seconds", "The limit of the clock.", (*SOURCE_LABELS, "clock")),
    (
        "ragline_source_clock_waiting_seconds",
        "How long the oldest change or removal has waited until now.",
        (*SOURCE_LABELS, "clock"),
    ),
    (
        "ragline_source_clock_state",
        "1 for the current state of the clock, 0 for the other states.",
        (*SOURCE_LABELS, "clock", "state"),
    ),
    ("ragline_source_documents", "Number of documents in each state.", (*SOURCE_LABELS, "state")),
    ("ragline_source_entries", "Number of entries in the live generation.", SOURCE_LABELS),
    (
        "ragline_source_removals_held",
        "Number of removals that wait for an operator's confirmation.",
        SOURCE_LABELS,
    ),
    ("ragline_source_unreachable", "1 while the source cannot be listed or probed.", SOURCE_LABELS),
    ("ragline_source_last_sync_failed", "1 if the last sync failed.", SOURCE_LABELS),
    (
        "ragline_source_listed_timestamp_seconds",
        "Time of the last complete listing.",
        SOURCE_LABELS,
    ),
    (
        "ragline_source_proven_timestamp_seconds",
        "Time of the last listing, or of a later probe that found no change.",
        SOURCE_LABELS,
    ),
    ("ragline_source_proof_timestamp_seconds", "Time of the last sync proof.", SOURCE_LABELS),
    ("ragline_source_proof_differences", "Number of faults in the last sync proof.", SOURCE_LABELS),
    ("ragline_collection_generation", "The live generation.", ("collection",)),
    (
        "ragline_collection_generations",
        "Number of `building`, `candidate` and `retired` generations.",
        ("collection", "state"),
    ),
    (
        "ragline_collection_build_failed",
        "1 while the configured generation cannot be built.",
        ("collection",),
    ),
    ("ragline_alarm", "1 for each current alarm.", (*SOURCE_LABELS, "name", "severity")),
)

Sample = tuple[str, tuple[str, ...], float]


class PipelineMetrics(Collector):
    """The gauges of the pipeline. Several threads can use them."""

    def __init__(
        self, find_database: Callable[[], Database | None], configured: Collection[str] = ()
    ) -> None:
        """`configured` are the names of the configured sources. If empty, all are reported."""
        self._find_database = find_database
        self._configured = frozenset(configured) or None
        self._status: Status | None = None
        self._read_at = 0.0
        self._reading = Lock()

    def refresh(self) -> None:
        """Read the state again if it is older than `CACHE_S`. Only one thread reads at a time."""
        if monotonic() - self._read_at < CACHE_S and self._status is not None:
            return
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._read()
        finally:
            self._reading.release()

    def collect(self) -> Iterable[Metric]:
        """Return the gauges of the last state that was read. The call does not block.

        If the state is too old, only `ragline_pipeline_status_readable` has a value.
        """
        status = self._status
        is_readable = status is not None and monotonic() - self._read_at < MAX_STATUS_AGE_S
        families = {
            name: GaugeMetricFamily(name, about, labels=labels) for name, about, labels in GAUGES
        }
        samples = describe_status(status) if status is not None and is_readable else iter(())
        families["ragline_pipeline_status_readable"].add_metric((), float(is_readable))
        for name, labels, value in samples:
            families[name].add_metric(labels, value)
        return families.values()

    def _read(self) -> None:
        database = self._find_database()
        if database is None:
            return
        try:
            self._status = read_status(database, configured=self._configured)
        except (RaglineError, StatementError) as error:
            # The next scrape reports the outage at once, without waiting for MAX_STATUS_AGE_S.
            self._status = None
            fields = {"error": describe_cause(error)}
            logger.info("status not readable", extra={"fields": fields})
        self._read_at = monotonic()


def describe_status(status: Status) -> Iterator[Sample]:
    """Yield the samples of a status: name, labels, value.

    `ragline_pipeline_status_readable` is not included.
    """
    for source in status.sources:
        yield from _describe_source(source)
        yield from _describe_clocks(source)
        yield from _describe_alarms(source.alarm_details)
    for collection in status.collections:
        yield from _describe_collection(collection)
        yield from _describe_alarms(collection.alarm_details)


def _describe_source(source: SourceStatus) -> Iterator[Sample]:
    labels = (source.collection, source.source)
    for state, count in source.documents.items():
        yield "ragline_source_documents", (*labels, state), count
    yield "ragline_source_entries", labels, source.entries
    yield "ragline_source_removals_held", labels, source.held.count if source.held else 0
    yield "ragline_source_unreachable", labels, source.unreachable_since is not None
    yield "ragline_source_last_sync_failed", labels, source.last_error is not None
    timestamps = {
        "listed": source.listed_at,
        "proven": source.proven_at,
        "proof": source.proof.proven_at if source.proof else None,
    }
    yield from _describe_timestamps(labels, timestamps)
    if source.proof is not None:
        yield "ragline_source_proof_differences", labels, source.proof.difference_count


def _describe_timestamps(
    labels: tuple[str, ...], timestamps: dict[str, datetime | None]
) -> Iterator[Sample]:
    """Yield the samples of timestamps. An event that never happened has no sample."""
    for name, timestamp in timestamps.items():
        if timestamp is not None:
            yield f"ragline_source_{name}_timestamp_seconds", labels, timestamp.timestamp()


def _describe_clocks(source: SourceStatus) -> Iterator[Sample]:
    for name, clock in zip(CLOCKS, (source.visible, source.forgotten), strict=True):
        labels = (source.collection, source.source, name)
        yield "ragline_source_clock_limit_seconds", labels, clock.within_seconds
        yield "ragline_source_clock_waiting_seconds", labels, clock.waiting_seconds
        for state in CLOCK_STATES:
            yield "ragline_source_clock_state", (*labels, state), clock.state == state


def _describe_collection(collection: CollectionStatus) -> Iterator[Sample]:
    labels = (collection.collection,)
    if collection.generation is not None:
        yield "ragline_collection_generation", labels, collection.generation
    counts = {
        "building": collection.building,
        "candidate": collection.candidates,
        "retired": collection.retired,
    }
    for state, number in counts.items():
        yield "ragline_collection_generations", (*labels, state), number
    has_failed = any(alarm.name in BUILD_ALARMS for alarm in collection.alarm_details)
    yield "ragline_collection_build_failed", labels, has_failed


def _describe_alarms(alarms: Iterable[Alarm]) -> Iterator[Sample]:
    for alarm in alarms:
        labels = (alarm.collection, alarm.source or "", alarm.name, alarm.severity)
        yield "ragline_alarm", labels, 1
