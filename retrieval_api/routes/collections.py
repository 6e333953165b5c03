"""GET /v1/collections, and how fresh one is."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from ragline.errors import UnknownCollectionError
from ragline.status import CollectionStatus, SourceStatus, read_status
from retrieval_api.access.callers import Caller, Searching
from retrieval_api.messages import collections
from retrieval_api.openapi import may_answer
from retrieval_api.problems import DATABASE_UNAVAILABLE, UNKNOWN_COLLECTION

router = APIRouter(tags=["collections"])


@router.get(
    "/v1/collections",
    summary="List the collections",
    responses=may_answer(DATABASE_UNAVAILABLE),
)
def list_collections(caller: Searching) -> collections.Collections:
    """Every collection, what its live index holds, and how old its sources are."""
    return describe_collections(caller)


def describe_collections(caller: Caller) -> collections.Collections:
    """The collections that a caller may name, in order of name.

    Without a key, also those that the database has and the configuration no longer names.
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


@router.get(
    "/v1/collections/{collection}",
    summary="Describe a collection",
    responses=may_answer(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_collection(collection: str, caller: Searching) -> collections.CollectionState:
    """One collection: what its live index holds, and how old its sources are."""
    for state in describe_collections(caller).collections:
        if state.name == collection:
            return state
    raise UnknownCollectionError(f"unknown collection {collection!r}")


@router.get(
    "/v1/collections/{collection}/freshness",
    summary="Say how fresh a collection is",
    responses=may_answer(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_freshness(collection: str, caller: Searching) -> collections.Freshness:
    """The clocks of a collection's sources, what waits, what is held, and their sync proofs."""
    settings = caller.collection(collection)
    # A service may be configured without any source; then nothing is known of them.
    configured = {source.name for source in caller.service.configuration.sources}
    status = read_status(caller.database, configured=configured or None)
    sources = [source for source in status.sources if source.collection == settings.name]
    own = next((one for one in status.collections if one.collection == settings.name), None)
    alarms = own.alarm_details if own else []
    return collections.Freshness(
        collection=settings.name,
        is_fresh=bool(sources) and all(source.is_fresh for source in sources),
        sources=[collections.SourceFreshness.model_validate(source) for source in sources],
        alarms=[alarm.text for alarm in alarms],
        alarm_details=[collections.Alarm.model_validate(alarm) for alarm in alarms],
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
