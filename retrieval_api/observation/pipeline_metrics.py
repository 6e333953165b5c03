"""The state of the pipeline for Prometheus: clocks, documents, removals, proofs, sources, alarms.

It is what `ragline status` shows, read from the database at most every `CACHE_S` and never by the
thread that answers the scrape. While the database is away there is one figure that says so and no
other one: what was true a minute ago is not told as the present.
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
# What could not be read again for so long is not told any more.
MAX_STATUS_AGE_S = 60.0
SOURCE_LABELS = ("collection", "source")
CLOCKS = ("visible", "forgotten")
CLOCK_STATES = ("kept", "late", "unproven")
BUILD_ALARMS = ("generation_build_failed", "settings_refused")

# Name, meaning, labels.
GAUGES = (
    ("ragline_pipeline_status_readable", "1 while the state of the pipeline can be read.", ()),
    ("ragline_source_clock_limit_seconds", "The declared limit.", (*SOURCE_LABELS, "clock")),
    ("ragline_source_clock_waiting_seconds", "The longest wait now.", (*SOURCE_LABELS, "clock")),
    ("ragline_source_clock_state", "1 for the state it is in.", (*SOURCE_LABELS, "clock", "state")),
    ("ragline_source_documents", "Documents by state.", (*SOURCE_LABELS, "state")),
    ("ragline_source_entries", "Entries that are served.", SOURCE_LABELS),
    ("ragline_source_removals_held", "Removals that wait for a person.", SOURCE_LABELS),
    ("ragline_source_unreachable", "1 while it cannot be listed or probed.", SOURCE_LABELS),
    ("ragline_source_last_sync_failed", "1 when the last sync had an error.", SOURCE_LABELS),
    (
        "ragline_source_listed_timestamp_seconds",
        "When it was last listed to its end.",
        SOURCE_LABELS,
    ),
    ("ragline_source_proven_timestamp_seconds", "When it was last seen unchanged.", SOURCE_LABELS),
    ("ragline_source_proof_timestamp_seconds", "When its last sync proof was made.", SOURCE_LABELS),
    ("ragline_source_proof_differences", "Differences in its last sync proof.", SOURCE_LABELS),
    ("ragline_collection_generation", "The live generation.", ("collection",)),
    ("ragline_collection_generations", "Others, by state.", ("collection", "state")),
    ("ragline_collection_build_failed", "1 while its settings cannot be built.", ("collection",)),
    ("ragline_alarm", "1 for each alarm.", (*SOURCE_LABELS, "name", "severity")),
)

Sample = tuple[str, tuple[str, ...], float]


class PipelineMetrics(Collector):
    """The gauges of the pipeline. Safe to use from several threads."""

    def __init__(
        self, find_database: Callable[[], Database | None], configured: Collection[str] = ()
    ) -> None:
        """`configured` are the names of the configured sources; without any nothing is known."""
        self._find_database = find_database
        self._configured = frozenset(configured) or None
        self._status: Status | None = None
        self._read_at = 0.0
        self._reading = Lock()

    def refresh(self) -> None:
        """Read the state again when it is older than `CACHE_S`; one thread at a time does."""
        if monotonic() - self._read_at < CACHE_S and self._status is not None:
            return
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._read()
        finally:
            self._reading.release()

    def collect(self) -> Iterable[Metric]:
        """What was read last, unless that is too long ago. Waits for nothing."""
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
            # Known to be away: the scrape that comes next need not wait a minute to tell.
            self._status = None
            fields = {"error": describe_cause(error)}
            logger.info("status not readable", extra={"fields": fields})
        self._read_at = monotonic()


def describe_status(status: Status) -> Iterator[Sample]:
    """Every gauge of a status but the one that says that it could be read: name, labels, value."""
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
    moments = {
        "listed": source.listed_at,
        "proven": source.proven_at,
        "proof": source.proof.proven_at if source.proof else None,
    }
    yield from _describe_timestamps(labels, moments)
    if source.proof is not None:
        yield "ragline_source_proof_differences", labels, source.proof.difference_count


def _describe_timestamps(
    labels: tuple[str, ...], moments: dict[str, datetime | None]
) -> Iterator[Sample]:
    """What never happened has no time, and no sample."""
    for name, moment in moments.items():
        if moment is not None:
            yield f"ragline_source_{name}_timestamp_seconds", labels, moment.timestamp()


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
    for state in ("building", "retired"):
        yield "ragline_collection_generations", (*labels, state), getattr(collection, state)
    has_failed = any(alarm.name in BUILD_ALARMS for alarm in collection.alarm_details)
    yield "ragline_collection_build_failed", labels, has_failed


def _describe_alarms(alarms: Iterable[Alarm]) -> Iterator[Sample]:
    for alarm in alarms:
        labels = (alarm.collection, alarm.source or "", alarm.name, alarm.severity)
        yield "ragline_alarm", labels, 1
