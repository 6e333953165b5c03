"""GET /v1/collections, and the freshness of one collection."""

from __future__ import annotations

from fastapi import APIRouter

from ragline.errors import UnknownCollectionError
from retrieval_api.access.callers import SearchCaller
from retrieval_api.messages import collections
from retrieval_api.openapi import describe_problems
from retrieval_api.operations.collections import describe_collections, describe_freshness
from retrieval_api.problems import DATABASE_UNAVAILABLE, UNKNOWN_COLLECTION

router = APIRouter(tags=["collections"])


@router.get(
    "/v1/collections",
    summary="List the collections",
    responses=describe_problems(DATABASE_UNAVAILABLE),
)
def list_collections(caller: SearchCaller) -> collections.Collections:
    """Return the collections that the caller can search.

    Each collection has the size of its live index. Each source has the time since its last complete
    listing.
    """
    return describe_collections(caller)


@router.get(
    "/v1/collections/{collection}",
    summary="Describe a collection",
    responses=describe_problems(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_collection(collection: str, caller: SearchCaller) -> collections.CollectionState:
    """Return one collection.

    It has the size of its live index. Each source has the time since its last complete listing.
    """
    for state in describe_collections(caller).collections:
        if state.name == collection:
            return state
    raise UnknownCollectionError(f"unknown collection {collection!r}")


@router.get(
    "/v1/collections/{collection}/freshness",
    summary="Show how fresh a collection is",
    responses=describe_problems(UNKNOWN_COLLECTION, DATABASE_UNAVAILABLE),
)
def show_freshness(collection: str, caller: SearchCaller) -> collections.Freshness:
    """Return the clocks, waiting changes, held removals and sync proofs of the sources."""
    return describe_freshness(collection, caller)
