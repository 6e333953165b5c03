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
from retrieval_api.access.callers import Pushing
from retrieval_api.messages import pushing
from retrieval_api.openapi import may_answer, must_send
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_PUSH_SOURCE,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    kind_of_status,
)
from retrieval_api.routes.pushed_bodies import (
    DocumentIdInPath,
    PushedTo,
    WholeBody,
    read_json,
    read_put,
)

router = APIRouter(tags=["documents"])

DOCUMENT_PATH = "/v1/collections/{collection}/documents/{document_id:document_id}"


@router.put(
    DOCUMENT_PATH,
    summary="Put a document into a collection",
    openapi_extra=must_send(pushing.DocumentBody, or_any_file=True),
    responses={
        201: {"description": "Created", "model": pushing.DocumentPut},
        **may_answer(
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
    parameters: Annotated[pushing.FileParameters, Query()],
    body: WholeBody,
    request: Request,
    response: Response,
    caller: Pushing,
) -> pushing.DocumentPut:
    """Keep a text, or a file of any type, until it is put anew or deleted.

    Putting the same again changes nothing. Searches find the document once its source has been
    synced, which begins within seconds of the change.
    """
    put = read_put(request, document_id, parameters, body)
    check_size(put, source.max_document_bytes)
    (outcome,) = _push(caller, source, [put])
    response.status_code = 201 if outcome.status == "created" else 200
    _log(request, source, [outcome])
    return pushing.DocumentPut.model_validate(
        {**_describe(source, outcome), "visible_within_seconds": _visible_within_s(source)}
    )


@router.delete(
    DOCUMENT_PATH,
    summary="Delete a document from a collection",
    responses=may_answer(
        UNKNOWN_COLLECTION, UNKNOWN_DOCUMENT, NO_PUSH_SOURCE, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def delete_document(
    source: PushedTo, document_id: DocumentIdInPath, request: Request, caller: Pushing
) -> pushing.DocumentDeleted:
    """Forget a document that was put: its content at once, its text in searches after the sync.

    Deleting it again changes nothing.
    """
    (outcome,) = _push(caller, source, [Delete(document_id)])
    if outcome.status == "unknown":
        raise UnknownDocumentError(
            f"no document {document_id!r} was ever put into the collection {source.collection!r}"
        )
    _log(request, source, [outcome])
    return pushing.DocumentDeleted.model_validate(
        {**_describe(source, outcome), "forgotten_within_seconds": _forgotten_within_s(source)}
    )


@router.post(
    "/v1/collections/{collection}/documents:bulk",
    summary="Put and delete many documents at once",
    openapi_extra=must_send(pushing.DocumentOperations),
    responses=may_answer(
        UNKNOWN_COLLECTION, NO_PUSH_SOURCE, BODY_TOO_LARGE, INVALID_REQUEST, DATABASE_UNAVAILABLE
    ),
)
def push_operations(
    source: PushedTo, body: WholeBody, request: Request, caller: Pushing
) -> pushing.OperationOutcomes:
    """Carry out operations in their order, in one transaction.

    When one of them is not valid, its index is named and nothing is written.
    """
    asked = read_json(body, pushing.DocumentOperations)
    operations = [operation.to_operation() for operation in asked.operations]
    _check_sizes(operations, source.max_document_bytes)
    outcomes = _push(caller, source, operations)
    _log(request, source, outcomes)
    return pushing.OperationOutcomes(
        collection=source.collection,
        source=source.name,
        visible_within_seconds=_visible_within_s(source),
        forgotten_within_seconds=_forgotten_within_s(source),
        results=[pushing.OperationOutcome.model_validate(outcome) for outcome in outcomes],
    )


def _push(caller: Pushing, source: PushSettings, operations: Sequence[Operation]) -> list[Outcome]:
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
            place = ("body", "operations", index, "text")
            faults.append({"type": "too_large", "loc": place, "msg": str(error)})
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
