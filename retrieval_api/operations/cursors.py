"""Writes and reads the cursors of document lists.

A cursor is the last document of one page, encoded for use in a URL.
"""

from __future__ import annotations

import base64
import binascii
import json

from fastapi.exceptions import RequestValidationError

from ragline.search.document_records import RecordedDocument
from ragline.search.inspection import DocumentSummary

MAX_CURSOR_CHARS = 8_000


def write_cursor(document: DocumentSummary | RecordedDocument) -> str:
    """Return the cursor of the page that ends with this document."""
    position = json.dumps([document.source, document.document_id])
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """Return the source and the id of the last document on the previous page.

    Raises:
        RequestValidationError: the cursor was not written by `write_cursor`.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        source, document_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        for part in (source, document_id):
            if not isinstance(part, str) or "\0" in part:
                raise ValueError  # noqa: TRY301  handled below, like every other malformed cursor
        (source + document_id).encode()
    except (ValueError, TypeError, RecursionError, binascii.Error):
        message = "must be the `next` of a page"
        fault = {"type": "cursor", "loc": ("query", "after"), "msg": message}
        raise RequestValidationError([fault]) from None
    return source, document_id
