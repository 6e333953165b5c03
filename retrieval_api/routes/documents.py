"""PUT and DELETE /v1/collections/{collection}/documents/{document_id}, and :bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
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
from retrieval_api.operations.waits import await_changes
from retrieval_api.problems import (
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_PUSH_SOURCE,
    TOO_MANY_WAITS,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    kind_of_status,
)
from retrieval_api.route_dependencies.document_ids import DOCUMENT_PATH, DocumentIdInPath
from retrieval_api.route_dependencies.pushed_bodies import PushedTo, WholeBody, read_json, read_put

router = APIRouter(tags=["documents"])
NOT_SHOWN = "Stored, but searches did not show the change in time"
WaitParameters = (
    pushed_documents.PutParameters
    | pushed_documents.DeleteParameters
    | pushed_documents.BulkParameters
)


@router.put(
    DOCUMENT_PATH,
    summary="Put a document into a collection",
    openapi_extra=describe_body(pushed_documents.DocumentBody, or_any_file=True),
    responses={
        201: {"description": "Created", "model": pushed_documents.DocumentPut},
        202: {"description": NOT_SHOWN, "model": pushed_documents.DocumentPut},
        **describe_problems(
            UNKNOWN_COLLECTION,
            NO_PUSH_SOURCE,
            BODY_TOO_LARGE,
            kind_of_status(415),
            INVALID_REQUEST,
            DATABASE_UNAVAILABLE,
            TOO_MANY_WAITS,
        ),
    },
)
async def put_document(
    source: PushedTo,
    document_id: DocumentIdInPath,
    parameters: Annotated[pushed_documents.PutParameters, Query()],
    body: WholeBody,
    request: Request,
    response: Response,
    caller: PushCaller,
) -> pushed_documents.DocumentPut:
    """Store a text, or a file of any type, until it is replaced or deleted.

    The same request again changes nothing. Searches find the document soon, usually within a second
    if a listener runs. With `wait=visible`, the answer comes when searches find it. If they do not
    find it in time, the status is 202, and `visibility` says why.
    """
    put = await run_in_threadpool(read_put, request, document_id, parameters, body)
    check_size(put, source.max_document_bytes)
    outcomes, shown = await _push_and_wait(caller, source, [put], parameters)
    outcome = outcomes[0]
    response.status_code = 201 if outcome.status == "created" else 200
    _log(request, source, outcomes)
    return pushed_documents.DocumentPut.model_validate(
        {
            **_describe(source, outcome),
            "visible_within_seconds": _visible_within_s(source),
            "visibility": _set_status(response, shown)[0],
        }
    )


@router.delete(
    DOCUMENT_PATH,
    summary="Delete a document from a collection",
    responses={
        202: {"description": NOT_SHOWN, "model": pushed_documents.DocumentDeleted},
        **describe_problems(
            UNKNOWN_COLLECTION,
            UNKNOWN_DOCUMENT,
            NO_PUSH_SOURCE,
            INVALID_REQUEST,
            DATABASE_UNAVAILABLE,
            TOO_MANY_WAITS,
        ),
    },
)
async def delete_document(
    source: PushedTo,
    document_id: DocumentIdInPath,
    parameters: Annotated[pushed_documents.DeleteParameters, Query()],
    request: Request,
    response: Response,
    caller: PushCaller,
) -> pushed_documents.DocumentDeleted:
    """Delete the content of a pushed document now, and its chunks soon after.

    The same request again changes nothing. With `wait=forgotten`, the answer comes when searches no
    longer find the document. If they still find it after the time limit, the status is 202, and
    `visibility` says why.
    """
    outcomes, shown = await _push_and_wait(caller, source, [Delete(document_id)], parameters)
    outcome = outcomes[0]
    if outcome.status == "unknown":
        raise UnknownDocumentError(
            f"no document {document_id!r} was ever put into collection {source.collection!r}"
        )
    _log(request, source, outcomes)
    return pushed_documents.DocumentDeleted.model_validate(
        {
            **_describe(source, outcome),
            "forgotten_within_seconds": _forgotten_within_s(source),
            "visibility": _set_status(response, shown)[0],
        }
    )


@router.post(
    "/v1/collections/{collection}/documents:bulk",
    summary="Put and delete many documents at once",
    openapi_extra=describe_body(pushed_documents.DocumentOperations),
    responses={
        202: {"description": NOT_SHOWN, "model": pushed_documents.OperationOutcomes},
        **describe_problems(
            UNKNOWN_COLLECTION,
            NO_PUSH_SOURCE,
            BODY_TOO_LARGE,
            INVALID_REQUEST,
            DATABASE_UNAVAILABLE,
            TOO_MANY_WAITS,
        ),
    },
)
async def push_operations(
    source: PushedTo,
    parameters: Annotated[pushed_documents.BulkParameters, Query()],
    body: WholeBody,
    request: Request,
    response: Response,
    caller: PushCaller,
) -> pushed_documents.OperationOutcomes:
    """Apply operations in the order of the list, in one transaction.

    If an operation is malformed, the answer names its position in the list and nothing is written.
    With `wait=visible`, the answer comes when searches show all operations. If they do not show all
    of them in time, the status is 202, and the `visibility` of each result says why.
    """
    operations = await run_in_threadpool(_read_operations, body, source.max_document_bytes)
    outcomes, shown = await _push_and_wait(caller, source, operations, parameters)
    _log(request, source, outcomes)
    return pushed_documents.OperationOutcomes(
        collection=source.collection,
        source=source.name,
        visible_within_seconds=_visible_within_s(source),
        forgotten_within_seconds=_forgotten_within_s(source),
        results=_describe_all(outcomes, _set_status(response, shown)),
    )


def _describe_all(
    outcomes: Sequence[Outcome], shown: Sequence[pushed_documents.Visibility | None]
) -> list[pushed_documents.OperationOutcome]:
    return [
        pushed_documents.OperationOutcome(
            document_id=outcome.document_id,
            status=outcome.status,
            version=outcome.version,
            content_hash=outcome.content_hash,
            visibility=visibility,
        )
        for outcome, visibility in zip(outcomes, shown, strict=True)
    ]


def _read_operations(body: bytes, limit: int) -> list[Operation]:
    message = read_json(body, pushed_documents.DocumentOperations)
    operations: list[Operation] = [operation.to_operation() for operation in message.operations]
    _check_sizes(operations, limit)
    return operations


async def _push_and_wait(
    caller: PushCaller,
    source: PushSettings,
    operations: Sequence[Operation],
    parameters: WaitParameters,
) -> tuple[list[Outcome], list[pushed_documents.Visibility | None]]:
    """Store operations, and wait until searches show them if the caller wants this.

    Returns the outcome of each operation, and what searches show of it.
    """
    if parameters.wait is not None:
        caller.service.visibility_waits.check_room(len(operations))
    outcomes = await run_in_threadpool(_push, caller, source, operations)
    if parameters.wait is None:
        return outcomes, [None] * len(outcomes)
    shown = await await_changes(caller.service, source, outcomes, parameters.wait_s)
    return outcomes, shown


def _set_status(
    response: Response, shown: list[pushed_documents.Visibility | None]
) -> list[pushed_documents.Visibility | None]:
    """Set the status 202 if searches do not show a change that was waited for."""
    if any(one is not None and one.state not in ("visible", "forgotten") for one in shown):
        response.status_code = 202
    return shown


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
    changed = sum(outcome.is_change for outcome in outcomes)
    request.state.logged |= {
        "collection": source.collection,
        "source": source.name,
        "operations": len(outcomes),
        "changed": changed,
    }
