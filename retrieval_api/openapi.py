"""The OpenAPI document: what FastAPI makes of the routes, with the problems they may answer."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from retrieval_api.problems import MEDIA_TYPE, Problem, ProblemKind

TITLE = "Ragline"
DESCRIPTION = (
    "Search over collections that are kept fresh from their sources. Every failed request is "
    f"answered with a problem (RFC 9457, `{MEDIA_TYPE}`) of one shape."
)


def may_answer(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for its `responses`."""
    return {kind.status: {"description": kind.title, "model": Problem} for kind in kinds}


def describe_app(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE, version=version("ragline"), description=DESCRIPTION, routes=app.routes
        )
        for path in document["paths"].values():
            for operation in path.values():
                _mend_problems(operation["responses"])
        for unused in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema


def _mend_problems(responses: dict[str, Any]) -> None:
    """FastAPI gives every answer of a route the media type of its success."""
    for status, response in responses.items():
        if status >= "400" and "application/json" in response.get("content", {}):
            response["content"][MEDIA_TYPE] = response["content"].pop("application/json")
