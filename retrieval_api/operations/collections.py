"""Describes collections, their sources and their freshness for a caller."""

from __future__ import annotations

from collections.abc import Iterable

from ragline.status import CollectionStatus, SourceStatus, Status, read_status
from retrieval_api.access.callers import Caller
from retrieval_api.messages import collections


def read_current_status(caller: Caller) -> Status:
    """Read the current status of all sources and collections of the caller's tenant.

    The status also contains collections that the caller's key does not name.
    """
    # If the service is configured without any source, every source is reported.
    configured = {source.name for source in caller.service.configuration.sources}
    return read_status(caller.database, configured=configured or None)


def describe_collections(caller: Caller) -> collections.Collections:
    """Describe the collections that a caller can access, sorted by name.

    Without a key, the result includes collections that are only in the database.
    """
    status = read_status(caller.database)
    known = {state.collection: state for state in status.collections}
    models = {settings.name: settings.embedding_model for settings in caller.list_collections()}
    names = sorted(set(models) | (set(known) if caller.key is None else set()))
    return collections.Collections(
        collections=[
            _describe(name, models.get(name), known.get(name), status.sources) for name in names
        ]
    )


def describe_freshness(name: str, caller: Caller) -> collections.Freshness:
    """Describe the clocks, held removals, sync proofs and alarms of a collection's sources.

    Raises:
        UnknownCollectionError: the collection does not exist for the caller.
    """
    settings = caller.collection(name)
    status = read_current_status(caller)
    sources = [source for source in status.sources if source.collection == settings.name]
    state = next((one for one in status.collections if one.collection == settings.name), None)
    alarms = state.alarm_details if state else []
    return collections.Freshness(
        collection=settings.name,
        is_fresh=bool(sources) and all(source.is_fresh for source in sources),
        sources=[collections.SourceFreshness.model_validate(source) for source in sources],
        alarms=[alarm.text for alarm in alarms],
        alarm_details=[collections.Alarm.model_validate(alarm) for alarm in alarms],
    )


def _describe(
    name: str,
    model: str | None,
    state: CollectionStatus | None,
    sources: Iterable[SourceStatus],
) -> collections.CollectionState:
    return collections.CollectionState(
        name=name,
        embedding_model=(state and state.embedding_model) or model,
        generation=state and state.generation,
        promoted_at=state and state.promoted_at,
        documents=state.documents if state else 0,
        entries=state.entries if state else 0,
        sources=[_describe_source(source) for source in sources if source.collection == name],
    )


def _describe_source(source: SourceStatus) -> collections.SourceState:
    return collections.SourceState(
        name=source.source,
        kind=source.kind,
        listed_at=source.listed_at,
        age_seconds=source.age_seconds,
        last_run_id=source.last_run_id,
        last_started_at=source.last_started_at,
        last_finished_at=source.last_finished_at,
    )
