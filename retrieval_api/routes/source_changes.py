"""POST /v1/sources/{source}/changed."""

from __future__ import annotations

from fastapi import APIRouter, Request

from ragline.sources.change_signals import find_listing_time, record_change
from retrieval_api.messages.source_changes import ChangedDocuments, RecordedChange
from retrieval_api.openapi import describe_body, describe_problems
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    UNKNOWN_SOURCE,
    WEBHOOK_NOT_READY,
    WEBHOOK_SIGNATURE,
)
from retrieval_api.route_dependencies.source_changes import Signalled

router = APIRouter(tags=["sources"])


@router.post(
    "/v1/sources/{source}/changed",
    status_code=202,
    summary="Signal that a source has changed",
    openapi_extra=describe_body(ChangedDocuments, is_required=False),
    responses=describe_problems(
        UNKNOWN_SOURCE,
        WEBHOOK_SIGNATURE,
        BODY_TOO_LARGE,
        INVALID_REQUEST,
        WEBHOOK_NOT_READY,
        DATABASE_UNAVAILABLE,
    ),
)
def signal_change(change: Signalled, request: Request) -> RecordedChange:
    """Make a sync of a source due at once.

    The sync lists the source and finds out what has changed. The same request again costs at most
    one more listing. A webhook of GitHub, GitLab or an S3 storage can send its own body. Its
    signature or token then replaces the key.
    """
    source, event = change.source, change.event
    stored = None
    if event.is_change:
        stored = record_change(change.database, source.name, change.reason, event.document_ids)
    names_documents = stored is not None and not stored.is_whole and event.document_ids
    request.state.logged |= {"collection": source.collection, "source": source.name}
    return RecordedChange(
        source=source.name,
        collection=source.collection,
        is_recorded=stored is not None,
        reason=change.reason,
        document_ids=list(event.document_ids or ()) if names_documents else None,
        signalled_at=None if stored is None else stored.signalled_at,
        listed_at=find_listing_time(change.database, source.name),
    )
