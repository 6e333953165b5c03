"""Maps exceptions to problems. Only this module maps an error to an HTTP status."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragline.errors import (
    AmbiguousDocumentError,
    DatabaseTooNewError,
    DatabaseUnavailableError,
    DocumentTooLargeError,
    FileNotWrittenError,
    ForbiddenError,
    GenerationStateError,
    GenerationTooOldError,
    GoldenSetError,
    IncompleteGenerationError,
    IndexNotReadyError,
    InvalidSearchError,
    MissingExtensionError,
    ModelLoadingError,
    ModelUnavailableError,
    NoPushSourceError,
    PromotionRefusedError,
    RateLimitError,
    RerankingError,
    SearchTimeoutError,
    UnauthorizedError,
    UnknownCollectionError,
    UnknownDocumentError,
    UnknownGenerationError,
    UnknownHitError,
    UnknownModelError,
    UnknownProposalError,
    UnknownReceiptError,
    UnknownReportError,
    UnknownRequestError,
)
from ragline.storage.connections import UNAVAILABLE_ERRORS, describe_cause
from retrieval_api.observation.tracing import METHODS
from retrieval_api.problems import (
    AMBIGUOUS_DOCUMENT,
    BODY_TOO_LARGE,
    DATABASE_UNAVAILABLE,
    FORBIDDEN,
    GENERATION_STATE,
    GENERATION_TOO_OLD,
    GOLDEN_SET_NOT_WRITTEN,
    GOLDEN_SET_REFUSED,
    INDEX_NOT_READY,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    MODEL_LOADING,
    MODEL_UNAVAILABLE,
    NO_PUSH_SOURCE,
    PROMOTION_REFUSED,
    RATE_LIMITED,
    RECORD_PENDING,
    RERANKING_FAILED,
    SEARCH_TIMEOUT,
    SERVICE_NOT_READY,
    UNAUTHORIZED,
    UNKNOWN_COLLECTION,
    UNKNOWN_DOCUMENT,
    UNKNOWN_GENERATION,
    UNKNOWN_MODEL,
    UNKNOWN_PROPOSAL,
    UNKNOWN_RECEIPT,
    UNKNOWN_REPORT,
    UNKNOWN_REQUEST,
    FieldError,
    ProblemKind,
    ProblemResponse,
    answer_problem,
    kind_of_status,
)
from retrieval_api.records.recorder import RecordPendingError
from retrieval_api.service import ServiceNotReadyError

logger = logging.getLogger(__name__)

# The messages of these errors are written for the caller. They are returned unchanged.
_PUBLIC: dict[type[Exception], ProblemKind] = {
    UnknownCollectionError: UNKNOWN_COLLECTION,
    UnknownGenerationError: UNKNOWN_GENERATION,
    UnknownRequestError: UNKNOWN_REQUEST,
    UnknownDocumentError: UNKNOWN_DOCUMENT,
    AmbiguousDocumentError: AMBIGUOUS_DOCUMENT,
    UnknownModelError: UNKNOWN_MODEL,
    UnknownReportError: UNKNOWN_REPORT,
    GenerationStateError: GENERATION_STATE,
    IncompleteGenerationError: GENERATION_STATE,
    PromotionRefusedError: PROMOTION_REFUSED,
    NoPushSourceError: NO_PUSH_SOURCE,
    UnknownProposalError: UNKNOWN_PROPOSAL,
    DocumentTooLargeError: BODY_TOO_LARGE,
    UnauthorizedError: UNAUTHORIZED,
    ForbiddenError: FORBIDDEN,
    UnknownReceiptError: UNKNOWN_RECEIPT,
    GenerationTooOldError: GENERATION_TOO_OLD,
    IndexNotReadyError: INDEX_NOT_READY,
    SearchTimeoutError: SEARCH_TIMEOUT,
    ServiceNotReadyError: SERVICE_NOT_READY,
    ModelLoadingError: MODEL_LOADING,
    RecordPendingError: RECORD_PENDING,
}

# Pydantic's messages for these errors name Python's types.
MESSAGES = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be a JSON object",
    "mapping_type": "must be a JSON object",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "finite_number": "must be a finite number",
}

# The messages of these errors can name hosts, files or SQL. So they are logged, and the caller gets
# a general sentence.
_TRY_AGAIN = "The database does not answer. Send the request again in a few seconds."
_NOT_WRITTEN = (
    "The service cannot write the folder of the golden set, which its log names. Give the process "
    "of the service the permission, or run `ragline golden review` where the folder is."
)
_MASKED: dict[type[Exception], tuple[ProblemKind, str]] = {
    DatabaseUnavailableError: (DATABASE_UNAVAILABLE, _TRY_AGAIN),
    DatabaseTooNewError: (DATABASE_UNAVAILABLE, _TRY_AGAIN),
    MissingExtensionError: (DATABASE_UNAVAILABLE, _TRY_AGAIN),
    **dict.fromkeys(UNAVAILABLE_ERRORS, (DATABASE_UNAVAILABLE, _TRY_AGAIN)),
    ModelUnavailableError: (
        MODEL_UNAVAILABLE,
        "A model that this request needs cannot be loaded. The service's log contains the reason.",
    ),
    GoldenSetError: (
        GOLDEN_SET_REFUSED,
        "The golden set is malformed or contradicts the answer. `ragline golden status` names it.",
    ),
    FileNotWrittenError: (
        GOLDEN_SET_NOT_WRITTEN,
        _NOT_WRITTEN,
    ),
    RerankingError: (
        RERANKING_FAILED,
        "The reranker failed on this request. The service's log contains the reason.",
    ),
}


def add_problem_handlers(app: FastAPI) -> None:
    """Register the handlers that turn exceptions into problems."""
    for error in (*_PUBLIC, *_MASKED):
        app.exception_handler(error)(_answer_known_error)
    app.exception_handler(UnknownHitError)(_answer_unknown_hit)
    app.exception_handler(InvalidSearchError)(_answer_invalid_search)
    app.exception_handler(UnauthorizedError)(_answer_unauthorized)
    app.exception_handler(RateLimitError)(_answer_rate_limited)
    app.exception_handler(RequestValidationError)(_answer_invalid_request)
    app.exception_handler(HTTPException)(_answer_http_error)


class FailureBoundary:
    """Middleware that answers an unexpected exception, and logs it with the request id.

    Starlette's own handler would log the exception without the id and pass it on to the server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_and_record_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_and_record_start)
        except Exception:  # a bug: the caller gets a problem, and the log gets the traceback
            request_id = Request(scope).state.request_id
            logger.exception("request failed", extra={"fields": {"request_id": request_id}})
            if not started:
                await _answer_internal_error(scope)(scope, receive, send)


def explain_failure(error: Exception, request_id: str) -> tuple[ProblemKind, str] | None:
    """Return the kind of problem for an exception, and the detail for the caller.

    The result is None for an unexpected exception. A message that the caller must not see is
    logged.
    """
    if isinstance(error, InvalidSearchError):
        return INVALID_REQUEST, str(error)
    if isinstance(error, RateLimitError):
        return RATE_LIMITED, f"{error}; retry after {ceil(error.retry_after_s)} s"
    for ancestor in type(error).__mro__:
        if ancestor in _PUBLIC:
            return _PUBLIC[ancestor], str(error)
        if ancestor in _MASKED:
            kind, detail = _MASKED[ancestor]
            fields = {"request_id": request_id, "error": describe_cause(error)}
            logger.warning(kind.title, extra={"fields": fields})
            return kind, detail
    return None


def describe_invalid_fields(errors: Sequence[Any]) -> list[FieldError]:
    """Return a dotted path and a message for each of Pydantic's errors, in the same order."""
    return [
        FieldError(field=_format_location(e["loc"], e["type"]), message=_describe_fault(e))
        for e in errors
    ]


def _format_location(location: Sequence[str | int], kind: str) -> str:
    if kind == "json_invalid":  # the location of this error is an offset in the body, not a field
        return "body"
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _describe_fault(error: dict[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"not valid JSON: {error['ctx']['error']} at character {error['loc'][-1]}"
    if error["type"] in ("model_attributes_type", "model_type"):
        return "must be a JSON object, sent with Content-Type: application/json"
    return MESSAGES.get(error["type"]) or str(error["msg"])


def _answer_invalid_request(request: Request, error: RequestValidationError) -> ProblemResponse:
    return _answer_invalid(request, describe_invalid_fields(error.errors()))


def _answer_unknown_hit(request: Request, error: UnknownHitError) -> ProblemResponse:
    return _answer_invalid(request, [FieldError(field=error.field, message=str(error))])


def _answer_unauthorized(request: Request, error: UnauthorizedError) -> ProblemResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="ragline"'}
    return answer_problem(request.scope, UNAUTHORIZED, str(error), headers=headers)


def _answer_rate_limited(request: Request, error: RateLimitError) -> ProblemResponse:
    headers = {"Retry-After": str(ceil(error.retry_after_s))}
    return answer_problem(request.scope, RATE_LIMITED, str(error), headers=headers)


def _answer_invalid_search(request: Request, error: InvalidSearchError) -> ProblemResponse:
    return _answer_invalid(request, [FieldError(field=error.field, message=error.reason)])


def _answer_invalid(request: Request, errors: list[FieldError]) -> ProblemResponse:
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors[:5])
    return answer_problem(request.scope, INVALID_REQUEST, detail, errors=errors)


def _answer_http_error(request: Request, error: HTTPException) -> ProblemResponse:
    if error.status_code == 400:  # FastAPI raises status 400 for a body that is not text
        return _answer_invalid(request, [FieldError(field="body", message="not valid JSON")])
    path = request.scope["path"]
    details = {
        404: f"The path {path} does not exist; /docs lists the paths.",
        405: f"{path} does not accept {request.method}; the header Allow lists the methods.",
    }
    kind = BODY_TOO_LARGE if error.status_code == 413 else kind_of_status(error.status_code)
    detail = details.get(error.status_code, str(error.detail))
    headers = error.headers
    if error.status_code == 405:
        headers = {"Allow": _list_methods(request)}
    return answer_problem(request.scope, kind, detail, headers=headers)


def _list_methods(request: Request) -> str:
    """List the methods of a path. Starlette's header Allow has only those of the first route."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    return ", ".join(
        method
        for method in sorted(METHODS)
        for scope in [{**request.scope, "method": method}]
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )


def _answer_known_error(request: Request, error: Exception) -> ProblemResponse:
    explained = explain_failure(error, request.state.request_id)
    assert explained is not None
    return answer_problem(request.scope, *explained)


def _answer_internal_error(scope: Scope) -> ProblemResponse:
    detail = (
        "The service failed on this request. Its log contains the reason under this request_id."
    )
    return answer_problem(scope, INTERNAL_ERROR, detail)
