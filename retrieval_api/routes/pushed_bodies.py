"""What comes with a request that pushes documents: the id in its path, and a body of any type.

What a good one says is in `pushed_messages`. FastAPI reads the bodies of all other routes itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from ragline.configuration import Configuration
from ragline.sources.push.operations import Put, put_file
from ragline.sources.push.settings import PushSettings
from retrieval_api.access.callers import Pushing
from retrieval_api.messages import pushing

JSON_TYPE = "application/json"
# What clients send when nobody has told them what the body is.
FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data")
# Room beside a document of the largest size: its title and metadata, and JSON's own signs.
ENVELOPE_BYTES = 1 << 20
# Only of formats that look alike as bytes; the others are told by their content.
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
PUSHES = re.compile(r"/v1/collections/([^/]+)/documents(?:/.*|:bulk)", re.DOTALL)

Model = TypeVar("Model", bound=BaseModel)


class DocumentIdConvertor(Convertor[str]):
    """The rest of a path as an id. Starlette's own `path` loses a line end at its end."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """The id as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The id as it is."""
        return value


# At import, because a route looks its convertor up while it is declared.
register_url_convertor("document_id", DocumentIdConvertor())


async def _read_document_id(request: Request, document_id: pushing.DocumentId) -> str:
    """The id in the path. Bytes that are no UTF-8 would all become the same sign."""
    try:
        unquote_to_bytes(request.scope["raw_path"]).decode()
    except UnicodeDecodeError:
        raise _invalid(("path", "document_id"), "must be UTF-8, percent-encoded") from None
    return document_id


def _find_push_source(collection: str, caller: Pushing) -> PushSettings:
    name = caller.collection(collection).name
    return caller.service.configuration.push_source_of(name)


DocumentIdInPath = Annotated[str, Depends(_read_document_id)]
PushedTo = Annotated[PushSettings, Depends(_find_push_source)]


async def _read_body(request: Request, _source: PushedTo) -> bytes:
    """The body, once it is known that somebody would take it."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400) from None


WholeBody = Annotated[bytes, Depends(_read_body)]


def find_larger_limits(configuration: Configuration) -> Callable[[Scope], int | None]:
    """For `BodyLimit`: a body that pushes may be as large as any source takes documents.

    The same for every collection, or the limit would tell a stranger which ones there are. What
    the source itself takes is checked where the document is known.
    """
    limits = [
        source.max_document_bytes
        for source in configuration.sources
        if isinstance(source, PushSettings)
    ]
    largest = max(limits) + ENVELOPE_BYTES if limits else None

    def find_larger(scope: Scope) -> int | None:
        is_push = PUSHES.fullmatch(scope["path"]) and scope["method"] in ("PUT", "POST")
        return largest if is_push else None

    return find_larger


def read_put(
    request: Request, document_id: str, parameters: pushing.FileParameters, body: bytes
) -> Put:
    """The document that a body is, by its Content-Type: a JSON message or the file itself.

    Raises:
        RequestValidationError: it is not as it must be.
        HTTPException: 415, its type is none or one of forms.
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
            raise _invalid(("query",), "stands in the body, when that is JSON")
        return read_json(body, pushing.DocumentBody).to_put(document_id)
    if not body:
        raise _invalid(("body",), "is an empty file; DELETE the document to remove it")
    return put_file(
        document_id,
        body,
        _name_file(parameters.name or document_id.rstrip("/").rpartition("/")[2], content_type),
        metadata=parameters.metadata,
        principals=parameters.principal,
    )


def read_json(body: bytes, model: type[Model]) -> Model:
    """A JSON body as a message, with the faults that FastAPI would find in it.

    Raises:
        RequestValidationError: it is not as it must be.
        HTTPException: 400, it is no JSON text at all.
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


def _invalid(place: tuple[str, ...], message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": place, "msg": message}])
