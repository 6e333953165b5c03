"""The response to a failed request. It is a problem document (RFC 9457), always in one format.

This module contains the kinds of problems and builds the response. `problem_handlers` maps
exceptions to kinds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One malformed part of a request."""

    field: str = Field(
        description="The path in the request, separated by dots; `body` for the whole body."
    )
    message: str = Field(description="The error.")


class Problem(BaseModel):
    """The response to a failed request (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:ragline:problem:invalid-request",
                "title": "The request is not valid",
                "status": 422,
                "detail": "top_k: Input should be less than or equal to 100",
                "message": "top_k: Input should be less than or equal to 100",
                "instance": "/v1/search",
                "request_id": "6f1c2a34-0e3e-4c5e-9a8e-7e1f5d0c9b11",
                "errors": [
                    {
                        "field": "top_k",
                        "message": "Input should be less than or equal to 100",
                    }
                ],
            }
        }
    )

    type: str = Field(description="The kind of problem, as a URN.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="The error of this request and, if possible, what to do.")
    message: str = Field(
        description="The same as `detail`, in the field that OpenAI's clients show."
    )
    instance: str = Field(description="The path of the request.")
    request_id: str = Field(description="The id of this request in the service's log.")
    errors: list[FieldError] | None = Field(
        default=None, description="With status 422: the error of each malformed field."
    )


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem. `retry_after_s` is set if a later retry can succeed."""

    name: str
    status: int
    title: str
    retry_after_s: int | None = None


INVALID_REQUEST = ProblemKind("invalid-request", 422, "The request is not valid")
UNKNOWN_COLLECTION = ProblemKind("unknown-collection", 404, "The collection does not exist")
UNKNOWN_GENERATION = ProblemKind("unknown-generation", 404, "The generation does not exist")
UNKNOWN_REPORT = ProblemKind("unknown-report", 404, "The report of the gate does not exist")
UNKNOWN_REQUEST = ProblemKind("unknown-request", 404, "No search has this request id")
UNKNOWN_DOCUMENT = ProblemKind("unknown-document", 404, "The document does not exist")
AMBIGUOUS_DOCUMENT = ProblemKind("ambiguous-document", 409, "Several sources have this document")
UNKNOWN_MODEL = ProblemKind("unknown-model", 404, "The embedding model does not exist")
GENERATION_STATE = ProblemKind(
    "generation-state", 409, "The state of the generation does not allow this"
)
PROMOTION_REFUSED = ProblemKind("promotion-refused", 409, "The promotion is refused")
NO_PUSH_SOURCE = ProblemKind(
    "no-push-source", 409, "The collection does not accept pushed documents"
)
UNKNOWN_PROPOSAL = ProblemKind("unknown-proposal", 404, "No such proposal waits for an answer")
GOLDEN_SET_REFUSED = ProblemKind(
    "golden-set-refused", 409, "The golden set does not accept this answer"
)
GOLDEN_SET_NOT_WRITTEN = ProblemKind(
    "golden-set-not-written", 409, "The service cannot write the golden set"
)
UNAUTHORIZED = ProblemKind("unauthorized", 401, "A key is required")
FORBIDDEN = ProblemKind("forbidden", 403, "The key does not permit this")
RATE_LIMITED = ProblemKind("rate-limited", 429, "The key sent too many requests")
UNKNOWN_RECEIPT = ProblemKind("unknown-receipt", 404, "No entry has this receipt")
GENERATION_TOO_OLD = ProblemKind("generation-too-old", 409, "The live index is too old")
INDEX_NOT_READY = ProblemKind("index-not-ready", 409, "The collection has no live index yet")
BODY_TOO_LARGE = ProblemKind("body-too-large", 413, "The request's body is too large")
OVERLOADED = ProblemKind("overloaded", 503, "The service is overloaded", 1)
SERVICE_NOT_READY = ProblemKind("service-not-ready", 503, "The service is not ready yet", 2)
DATABASE_UNAVAILABLE = ProblemKind("database-unavailable", 503, "The database does not answer", 5)
MODEL_LOADING = ProblemKind("model-loading", 503, "A model is still being loaded", 2)
MODEL_UNAVAILABLE = ProblemKind("model-unavailable", 503, "A model cannot be loaded", 60)
SEARCH_TIMEOUT = ProblemKind("search-timeout", 503, "The search took too long", 5)
RECORD_PENDING = ProblemKind("record-pending", 503, "The search is not recorded yet", 2)
RERANKING_FAILED = ProblemKind("reranking-failed", 500, "The reranker failed")
INTERNAL_ERROR = ProblemKind("internal-error", 500, "The service failed on this request")


class ProblemResponse(JSONResponse):
    """A problem as a response."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        """Return the problem as JSON in UTF-8.

        A text from the caller can contain a lone surrogate, which UTF-8 cannot encode. It becomes
        `?`.
        """
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def kind_of_status(status: int) -> ProblemKind:
    """Make the kind for an HTTP status that has no kind here, such as 405."""
    phrase = HTTPStatus(status).phrase
    return ProblemKind(phrase.lower().replace(" ", "-"), status, phrase)


def answer_problem(
    scope: Scope,
    kind: ProblemKind,
    detail: str,
    *,
    errors: Sequence[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Build the response to a failed request.

    The caller sees `detail`, so it must not contain SQL or secrets.
    """
    problem = Problem(
        type=f"urn:ragline:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        message=detail,
        instance=quote(scope["path"]),
        request_id=Request(scope).state.request_id,
        errors=None if errors is None else list(errors),
    )
    retry = {} if kind.retry_after_s is None else {"Retry-After": str(kind.retry_after_s)}
    content = problem.model_dump(exclude_none=True)
    return ProblemResponse(content, kind.status, headers={**retry, **(headers or {})})
