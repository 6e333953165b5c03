"""Reads the body of a request that pushes documents: JSON, or a file of any type.

The module `messages.pushed_documents` defines the fields of the JSON. FastAPI reads the bodies of
all other routes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from ragline.configuration import Configuration
from ragline.sources.push.operations import Put, put_file
from ragline.sources.push.settings import PushSettings
from retrieval_api.access.callers import PushCaller
from retrieval_api.messages import pushed_documents

JSON_TYPE = "application/json"
# Clients send these types if their user sets no Content-Type.
FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data")
# The additional size of a body for the title, the metadata and the JSON syntax of a document.
ENVELOPE_BYTES = 1 << 20
# The suffixes of formats whose bytes are similar. Other formats are detected by their content.
ENDINGS = {
    "application/x-ndjson": ".jsonl",
    "application/xml": ".xml",
    "application/yaml": ".yaml",
    "message/rfc822": ".eml",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/tab-separated-values": ".tsv",
    "text/x-rst": ".rst",
    "text/xml": ".xml",
}
PUSH_PATH = re.compile(r"/v1/collections/([^/]+)/documents(?:/.*|:bulk)", re.DOTALL)

Model = TypeVar("Model", bound=BaseModel)


def _find_push_source(collection: str, caller: PushCaller) -> PushSettings:
    name = caller.collection(collection).name
    return caller.service.configuration.push_source_of(name)


PushedTo = Annotated[PushSettings, Depends(_find_push_source)]


async def _read_body(request: Request, _source: PushedTo) -> bytes:
    """Read the body. This happens only after the push source has been found."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None


WholeBody = Annotated[bytes, Depends(_read_body)]


def find_push_limit(configuration: Configuration) -> Callable[[Scope], int | None]:
    """Return a function for `find_larger_limit` of `BodyLimit`. This function limits pushed bodies.

    The limit is the largest size limit of all push sources. It is equal for all collections, so
    that it does not reveal which collections exist. The limit of the source itself is checked after
    the document has been read.
    """
    limits = [
        source.max_document_bytes
        for source in configuration.sources
        if isinstance(source, PushSettings)
    ]
    max_bytes = max(limits) + ENVELOPE_BYTES if limits else None

    def find_limit(scope: Scope) -> int | None:
        is_push = PUSH_PATH.fullmatch(scope["path"]) and scope["method"] in ("PUT", "POST")
        return max_bytes if is_push else None

    return find_limit


def read_put(
    request: Request, document_id: str, parameters: pushed_documents.FileParameters, body: bytes
) -> Put:
    """Read the pushed document. Its Content-Type says whether the body is JSON or the file itself.

    Raises:
        RequestValidationError: the body or the query string is malformed.
        HTTPException: the Content-Type is missing or is the type of a form (status 415).
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in FORM_TYPES:
        raise HTTPException(
            415,
            f"Send Content-Type: {JSON_TYPE} with a JSON object that has a text, or a file as the "
            "body with its own type, such as application/pdf or application/octet-stream.",
        )
    if content_type == JSON_TYPE:
        if request.query_params:
            raise _invalid(("query",), "must be in the body when the body is JSON")
        return read_json(body, pushed_documents.DocumentBody).to_put(document_id)
    if not body:
        raise _invalid(("body",), "must not be empty; DELETE the document to remove it")
    return put_file(
        document_id,
        body,
        _name_file(parameters.name or document_id.rstrip("/").rpartition("/")[2], content_type),
        metadata=parameters.metadata,
        principals=parameters.principal,
    )


def read_json(body: bytes, model: type[Model]) -> Model:
    """Read a JSON body as a message. Errors are reported as FastAPI reports them.

    Raises:
        RequestValidationError: the body is not valid JSON, or a field is malformed.
        HTTPException: the body is not text, or it is nested too deeply (status 400).
    """
    try:
        return model.model_validate(json.loads(body))
    except json.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": ("body", error.pos), "ctx": {"error": error.msg}}
        raise RequestValidationError([fault]) from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None
    except (ValueError, RecursionError):
        raise HTTPException(400) from None


def _name_file(name: str, content_type: str) -> str:
    has_ending = PurePosixPath(name).suffix != ""
    return name if has_ending else name + ENDINGS.get(content_type, "")


def _invalid(location: tuple[str, ...], message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": location, "msg": message}])
