"""GET /v1/collections, and how fresh one is."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from ragline.configuration import Configuration
from ragline.errors import UnknownCollectionError
from ragline.status import CollectionStatus, SourceStatus, Status, read_status
from retrieval_api import messages
from retrieval_api.openapi import may_answer
from retrieval_api.problems import DATABASE_UNAVAILABLE, UNKNOWN_COLLECTION
from retrieval_api.routes.dependencies import OpenService

router = APIRouter(tags=["collections"])


@router.get(
    "/v1/collections",
    summary="List the collections",
    responses=may_answer(DATABASE_UNAVAILABLE),
)
def list_collections(service: OpenService) -> messages.Collections:
    """Every collection, what its live index holds, and how old its sources are."""
    status = read_status(service.database)
    return describe_collections(service.configuration, status)


def describe_collections(configuration: Configuration, status: Status) -> messages.Collections:
    """The collections that are configured or in the database, in order of name."""
    known = {state.collection: state for state in status.collections}
    names = sorted({settings.name for settings in configuration.collections} | set(known))
    models = {settings.name: settings.embedding_model for settings in configuration.collections}
    return messages.Collections(
        collections=[
            _describe(name, models.get(name), known.get(name), status.sources) for name in names
        ]
    )


def _describe(
    name: str,
    model: str | None,
    state: CollectionStatus | None,
    sources: Iterable[SourceStatus],
) -> messages.CollectionState:
    return messages.CollectionState(
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
def show_collection(collection: str, service: OpenService) -> messages.CollectionState:
    """One collection: what its live index holds, and how old its sources are."""
    described = describe_collections(service.configuration, read_status(service.database))
    for state in described.collections:
        if state.name == collection:
            return state
    raise UnknownCollectionError(f"unknown collection {collection!r}")


@router.get(
    "/v1/collections/{collection}/freshness",
    summary="Say how fresh a collection is",
    responses=may_answer(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_freshness(collection: str, service: OpenService) -> messages.Freshness:
    """The clocks of a collection's sources, what waits, what is held, and their sync proofs."""
    settings = service.configuration.collection(collection)
    sources = [
        source
        for source in read_status(service.database).sources
        if source.collection == settings.name
    ]
    return messages.Freshness(
        collection=settings.name,
        is_fresh=bool(sources) and all(source.is_fresh for source in sources),
        sources=[messages.SourceFreshness.model_validate(source) for source in sources],
    )


def _describe_source(source: SourceStatus) -> messages.SourceState:
    return messages.SourceState(
        name=source.source,
        kind=source.kind,
        listed_at=source.listed_at,
        age_seconds=source.age_seconds,
        last_run_id=source.last_run_id,
        last_started_at=source.last_started_at,
        last_finished_at=source.last_finished_at,
    )
