"""PUT and DELETE /v1/collections/{collection}/documents/{document_id}, and :bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from ragline.errors import (
    DocumentTooLargeError,
    UnknownCollectionError,
    UnknownDocumentError,
    UnknownSourceError,
)
from ragline.sources.push.operations import (
    Delete,
    Operation,
    Outcome,
    Put,
    check_size,
    push_documents,
)
from ragline.sources.push.settings import PushSettings
from retrieval_api.access.callers import PushCaller
from retrieval_api.messages import pushed_documents
from retrieval_api.openapi import describe_body, describe_problems
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_PUSH_SOURCE,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    kind_of_status,
)
from retrieval_api.route_dependencies.document_ids import DOCUMENT_PATH, DocumentIdInPath
from retrieval_api.route_dependencies.pushed_bodies import PushedTo, WholeBody, read_json, read_put

router = APIRouter(tags=["documents"])


@router.put(
    DOCUMENT_PATH,
    summary="Put a document into a collection",
    openapi_extra=describe_body(pushed_documents.DocumentBody, or_any_file=True),
    responses={
        201: {"description": "Created", "model": pushed_documents.DocumentPut},
        **describe_problems(
            UNKNOWN_COLLECTION,
            NO_PUSH_SOURCE,
            BODY_TOO_LARGE,
            kind_of_status(415),
            INVALID_REQUEST,
            DATABASE_UNAVAILABLE,
        ),
    },
)
def put_document(
    source: PushedTo,
    document_id: DocumentIdInPath,
    parameters: Annotated[pushed_documents.FileParameters, Query()],
    body: WholeBody,
    request: Request,
    response: Response,
    caller: PushCaller,
) -> pushed_documents.DocumentPut:
    """Store a text, or a file of any type, until it is replaced or deleted.

    The same request again changes nothing. Searches find the document after the next sync of its
    source. The sync starts some seconds after the change.
    """
    put = read_put(request, document_id, parameters, body)
    check_size(put, source.max_document_bytes)
    (outcome,) = _push(caller, source, [put])
    response.status_code = 201 if outcome.status == "created" else 200
    _log(request, source, [outcome])
    return pushed_documents.DocumentPut.model_validate(
        {**_describe(source, outcome), "visible_within_seconds": _visible_within_s(source)}
    )


@router.delete(
    DOCUMENT_PATH,
    summary="Delete a document from a collection",
    responses=describe_problems(
        UNKNOWN_COLLECTION, UNKNOWN_DOCUMENT, NO_PUSH_SOURCE, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def delete_document(
    source: PushedTo, document_id: DocumentIdInPath, request: Request, caller: PushCaller
) -> pushed_documents.DocumentDeleted:
    """Delete the content of a pushed document now, and its chunks with the next sync.

    Until this sync, searches still find the document. The same request again changes nothing.
    """
    (outcome,) = _push(caller, source, [Delete(document_id)])
    if outcome.status == "unknown":
        raise UnknownDocumentError(
            f"no document {document_id!r} was ever put into collection {source.collection!r}"
        )
    _log(request, source, [outcome])
    return pushed_documents.DocumentDeleted.model_validate(
        {**_describe(source, outcome), "forgotten_within_seconds": _forgotten_within_s(source)}
    )


@router.post(
    "/v1/collections/{collection}/documents:bulk",
    summary="Put and delete many documents at once",
    openapi_extra=describe_body(pushed_documents.DocumentOperations),
    responses=describe_problems(
        UNKNOWN_COLLECTION, NO_PUSH_SOURCE, BODY_TOO_LARGE, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def push_operations(
    source: PushedTo, body: WholeBody, request: Request, caller: PushCaller
) -> pushed_documents.OperationOutcomes:
    """Apply operations in the order of the list, in one transaction.

    If an operation is malformed, the answer names its position in the list and nothing is written.
    """
    message = read_json(body, pushed_documents.DocumentOperations)
    operations = [operation.to_operation() for operation in message.operations]
    _check_sizes(operations, source.max_document_bytes)
    outcomes = _push(caller, source, operations)
    _log(request, source, outcomes)
    return pushed_documents.OperationOutcomes(
        collection=source.collection,
        source=source.name,
        visible_within_seconds=_visible_within_s(source),
        forgotten_within_seconds=_forgotten_within_s(source),
        results=[pushed_documents.OperationOutcome.model_validate(outcome) for outcome in outcomes],
    )


def _push(
    caller: PushCaller, source: PushSettings, operations: Sequence[Operation]
) -> list[Outcome]:
    tenant = caller.service.configuration.collection(source.collection).tenant
    try:
        return push_documents(caller.database, source.name, operations, tenant=tenant)
    except UnknownSourceError:
        raise UnknownCollectionError(f"unknown collection {source.collection!r}") from None


def _check_sizes(operations: Sequence[Operation], limit: int) -> None:
    faults = []
    for index, operation in enumerate(operations):
        try:
            if isinstance(operation, Put):
                check_size(operation, limit)
        except DocumentTooLargeError as error:
            location = ("body", "operations", index, "text")
            faults.append({"type": "too_large", "loc": location, "msg": str(error)})
    if faults:
        raise RequestValidationError(faults)


def _describe(source: PushSettings, outcome: Outcome) -> dict[str, object]:
    return {
        "collection": source.collection,
        "source": source.name,
        "document_id": outcome.document_id,
        "status": outcome.status,
        "version": outcome.version,
        "content_hash": outcome.content_hash,
    }


def _visible_within_s(source: PushSettings) -> float:
    return source.visible_within.total_seconds()


def _forgotten_within_s(source: PushSettings) -> float:
    return source.forgotten_within.total_seconds()


def _log(request: Request, source: PushSettings, outcomes: Sequence[Outcome]) -> None:
    changed = sum(outcome.status not in ("unchanged", "unknown") for outcome in outcomes)
    request.state.logged |= {
        "collection": source.collection,
        "source": source.name,
        "operations": len(outcomes),
        "changed": changed,
    }
