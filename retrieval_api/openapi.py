"""Builds the OpenAPI document: FastAPI's description of the routes, with their problems."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from retrieval_api.messages import pushed_documents
from retrieval_api.problems import (
    FORBIDDEN,
    MEDIA_TYPE,
    RATE_LIMITED,
    UNAUTHORIZED,
    Problem,
    ProblemKind,
)

TITLE = "Ragline"
DESCRIPTION = (
    "Search collections that are kept up to date with their sources. Every failed request is "
    f"answered with a problem (RFC 9457, `{MEDIA_TYPE}`) of one format. Only a malformed HTTP "
    "request, or one with a URL of more than 64 KB, is answered with status 400 in plain text."
)


# The messages that routes read from the body without FastAPI. So FastAPI does not describe them.
_UNDECLARED_BODIES: tuple[type[BaseModel], ...] = (
    pushed_documents.DocumentBody,
    pushed_documents.DocumentOperations,
)
_FASTAPI_PROBLEM = "HTTPValidationError"
_REFERENCE = "#/components/schemas/{model}"


def describe_problems(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route can return, for the argument `responses` of the route."""
    titles: dict[int | str, list[str]] = {}
    for kind in (UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, *kinds):
        titles.setdefault(kind.status, []).append(kind.title)
    return {
        status: {"description": "; or: ".join(named), "model": Problem}
        for status, named in titles.items()
    }


def describe_body(model: type[BaseModel], *, or_any_file: bool = False) -> dict[str, Any]:
    """Describe a body that a route reads without FastAPI, for its argument `openapi_extra`."""
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}
    }
    if or_any_file:
        content["*/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": content}}


def describe_app(app: FastAPI) -> dict[str, Any]:
    """Return the app's OpenAPI document. It is built once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE, version=version("ragline"), description=DESCRIPTION, routes=app.routes
        )
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"] = _correct_problems(operation["responses"])
        document["components"]["schemas"] |= _describe_undeclared_bodies()
        for unused in (_FASTAPI_PROBLEM, "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_undeclared_bodies() -> dict[str, Any]:
    _, described = models_json_schema(
        [(model, "validation") for model in _UNDECLARED_BODIES], ref_template=_REFERENCE
    )
    return dict(described["$defs"])


def _correct_problems(responses: dict[str, Any]) -> dict[str, Any]:
    """Give problems their media type, and remove FastAPI's own problem.

    FastAPI describes every response of a route with the media type of the successful response. It
    adds its own 422 to a route with parameters, even if the route accepts every value.
    """
    for status, response in responses.items():
        if status >= "400" and "application/json" in response.get("content", {}):
            response["content"][MEDIA_TYPE] = response["content"].pop("application/json")
    return {
        status: response
        for status, response in responses.items()
        if _FASTAPI_PROBLEM not in str(response)
    }
