"""Encodes and decodes the messages from a parser process to its pool.

The messages are JSON and not pickles. A document that takes control of the parser process must not
be able to run code in the process of the pool.
"""

from __future__ import annotations

import json
from typing import Any

from ragline import errors
from ragline.errors import BrokenDocumentError, DocumentError
from ragline.parsing.parsed_document import Element, ParsedDocument
from ragline.storable_text import clean_text

READY = b"ready"
MAX_MESSAGE_CHARS = 500


def encode_result(result: ParsedDocument | DocumentError) -> bytes:
    """Encode a parse or an error as bytes."""
    if isinstance(result, DocumentError):
        message = clean_text(" ".join(str(result).split())[:MAX_MESSAGE_CHARS])
        body: dict[str, Any] = {"error": type(result).__name__, "message": message}
    else:
        body = {
            "text": result.text,
            "elements": [element.to_json() for element in result.elements],
            "file_type": result.file_type,
            "title": result.title,
            "language": result.language,
            "page_count": result.page_count,
        }
    return json.dumps(body, ensure_ascii=False).encode()


def decode_result(data: bytes) -> ParsedDocument | DocumentError:
    """Return the parse or the error in a message.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: the message is malformed.
    """
    body = json.loads(data)
    if "error" in body:
        return _find_error_class(body["error"])(body["message"])
    elements = tuple(Element.from_json(row) for row in body.pop("elements"))
    return ParsedDocument(elements=elements, **body)


def _find_error_class(name: str) -> type[DocumentError]:
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, DocumentError):
        return found
    return BrokenDocumentError
