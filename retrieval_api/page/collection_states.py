"""The collections that a visitor can search, and their counts, clocks and alarms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from ragline.alarms import Alarm
from ragline.status import SourceStatus, Status
from retrieval_api.access.callers import Caller
from retrieval_api.operations.collections import read_current_status
from retrieval_api.page.document_states import BADGES

# The status is read at most once in this time.
CACHE_S = 3.0


@dataclass(frozen=True, slots=True)
class CollectionOverview:
    """The figures of a collection. `states` are the document states with their counts.

    `listed_seconds` is the age of the last listing, in seconds. If the collection has several
    sources, the oldest of these listings counts.
    """

    name: str
    documents: int
    chunks: int
    generation: int | None
    states: list[tuple[str, int]]
    sources: list[SourceStatus]
    alarms: list[Alarm]
    listed_seconds: float | None

    @property
    def clock(self) -> str:
        """The worst state of the clocks of the collection's sources.

        The states are `late`, `unproven` and `kept`. Without a source, the result is `none`.
        """
        states = {
            clock.state for source in self.sources for clock in (source.visible, source.forgotten)
        }
        return next((one for one in ("late", "unproven", "kept") if one in states), "none")


def list_names(caller: Caller, chosen: str) -> list[str]:
    """List the collections that a form offers. They include `chosen`, unless it is empty."""
    names = [one.name for one in caller.list_collections()]
    return names if chosen in names or not chosen else [*names, chosen]


def first_collection(caller: Caller) -> str:
    """Return the first collection by name, or an empty text if the caller can access none."""
    return next((settings.name for settings in caller.list_collections()), "")


class StatusCache:
    """The status of all sources, at most three seconds old. Several threads can use it."""

    def __init__(self) -> None:
        self._cache: dict[str | None, tuple[float, Status]] = {}
        self._lock = Lock()

    def read(self, caller: Caller) -> Status:
        """Return the status of the caller's tenant.

        It includes collections that the caller's key cannot access.
        """
        with self._lock:
            known = self._cache.get(caller.tenant)
        if known is not None and monotonic() - known[0] < CACHE_S:
            return known[1]
        status = read_current_status(caller)
        with self._lock:
            self._cache[caller.tenant] = (monotonic(), status)
        return status


def list_sources(caller: Caller, status: Status) -> list[SourceStatus]:
    """List the sources of the caller's collections, or all sources if the caller has no key."""
    if caller.key is None:
        return status.sources
    names = {settings.name for settings in caller.list_collections()}
    return [source for source in status.sources if source.collection in names]


def list_alarms(status: Status, collection: str) -> list[Alarm]:
    """List the alarms of a collection and of its sources, errors first."""
    of_collection = [
        alarm
        for one in status.collections
        if one.collection == collection
        for alarm in one.alarm_details
    ]
    of_sources = [
        alarm
        for source in status.sources
        if source.collection == collection
        for alarm in source.alarm_details
    ]
    return sorted([*of_collection, *of_sources], key=lambda alarm: alarm.severity != "error")


def build_overviews(caller: Caller, status: Status) -> list[CollectionOverview]:
    """Build the overviews of the collections that a caller can access, sorted by name."""
    return [_build_overview(settings.name, status) for settings in caller.list_collections()]


def _build_overview(name: str, status: Status) -> CollectionOverview:
    known = next((one for one in status.collections if one.collection == name), None)
    sources = [source for source in status.sources if source.collection == name]
    counts: Counter[str] = Counter()
    for source in sources:
        counts.update(source.documents)
    ages = [source.age_seconds for source in sources if source.age_seconds is not None]
    return CollectionOverview(
        name=name,
        documents=known.documents if known else 0,
        chunks=known.entries if known else 0,
        generation=known.generation if known else None,
        states=[(state, counts[state]) for state in BADGES if counts[state]],
        sources=sources,
        alarms=list_alarms(status, name),
        listed_seconds=max(ages, default=None),
    )
