"""The URL path of a document, and the dependency that reads the document id in it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.convertors import Convertor, register_url_convertor

from retrieval_api.messages.pushed_documents import DocumentId

DOCUMENT_PATH = "/v1/collections/{collection}/documents/{document_id:document_id}"


class DocumentIdConvertor(Convertor[str]):
    """Converts the rest of a path to an id. Starlette's own `path` drops a line feed at the end."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return the id unchanged."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id unchanged."""
        return value


# This runs at import, because a route looks up its convertor when it is declared.
register_url_convertor("document_id", DocumentIdConvertor())


async def _read_document_id(request: Request, document_id: DocumentId) -> str:
    """Return the id in the path. An id that is not UTF-8 is refused.

    Starlette would decode every invalid byte to the same character, U+FFFD.
    """
    try:
        unquote_to_bytes(request.scope["raw_path"]).decode()
    except UnicodeDecodeError:
        message = "must be UTF-8, percent-encoded"
        fault = {"type": "value_error", "loc": ("path", "document_id"), "msg": message}
        raise RequestValidationError([fault]) from None
    return document_id


DocumentIdInPath = Annotated[str, Depends(_read_document_id)]
