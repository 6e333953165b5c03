"""Which settings a search uses, and what they and the request decide about its reranking."""

from __future__ import annotations

from dataclasses import replace

from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import InvalidSearchError, UnknownCollectionError
from ragline.rerankers import LATE_INTERACTION, NAMED_RERANKERS
from ragline.search.messages import SearchRequest


def find_settings(configuration: Configuration, collection: str) -> CollectionSettings:
    """Return the settings of a collection in the file, or the defaults if it is not configured.

    A collection can be in the database although the configuration no longer contains it.
    """
    try:
        return configuration.collection(collection)
    except UnknownCollectionError:
        return CollectionSettings.model_construct(name=collection)


def decide_reranking(request: SearchRequest, settings: CollectionSettings) -> SearchRequest:
    """Return the request, with the settings' decision whether to rerank if it has none."""
    if request.rerank is not None:
        return request
    return replace(request, rerank=settings.search.rerank)


def resolve_reranker(request: SearchRequest, settings: CollectionSettings) -> str:
    """Return the setting of the reranker that a request asks for.

    Raises:
        InvalidSearchError: the request asks for a cross-encoder, and the collection has none.
    """
    if request.reranker == "late_interaction":
        return LATE_INTERACTION
    if request.reranker == "cross_encoder" and settings.reranker in NAMED_RERANKERS:
        raise InvalidSearchError(
            "rerank", f"collection {request.collection} names no cross-encoder in its settings"
        )
    return settings.reranker


def uses_late_interaction(request: SearchRequest, settings: CollectionSettings) -> bool:
    """Whether a search needs the token vectors of its queries.

    Raises:
        InvalidSearchError: as in `resolve_reranker`.
    """
    if request.rerank and resolve_reranker(request, settings) == LATE_INTERACTION:
        return True
    search = settings.search
    has_feedback = search.feedback_weight > 0 or search.keyword_feedback_weight > 0
    return search.rerank_before_feedback and has_feedback
