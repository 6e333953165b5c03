"""Mail: eml and msg. The subject is the title; sender, recipients and date come first."""

from __future__ import annotations

import email
import email.policy
import io
from typing import Any

from ragline.parsing.document_text import ComposedText
from ragline.parsing.parsed_document import ParsedDocument
from ragline.parsing.readers.partitioned_elements import NO_LANGUAGES, add_elements

from unstructured.partition.email import partition_email  # isort: skip  # after the one above
from unstructured.partition.msg import partition_msg  # isort: skip


def read_eml(content: bytes, file_type: str) -> ParsedDocument:
    """A message as it went over the wire."""
    try:
        return _compose(
            partition_email(file=io.BytesIO(content), languages=NO_LANGUAGES), file_type
        )
    except AssertionError:
        # The library expects every part to be text or to hold parts; a digest holds messages.
        return _read_parts(content, file_type)


def _read_parts(content: bytes, file_type: str) -> ParsedDocument:
    """The plain text of every message inside a message, each under its subject."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    text = ComposedText()
    for part in message.walk():
        if part["subject"] is not None:
            text.add_heading(str(part["subject"]), 1 if part is message else 2)
        if part.get_content_type() == "text/plain":
            text.add("text", str(part.get_content()))
    return text.finish(file_type, title=message["subject"])


def read_msg(content: bytes, file_type: str) -> ParsedDocument:
    """A message as Outlook keeps it."""
    return _compose(partition_msg(file=io.BytesIO(content), languages=NO_LANGUAGES), file_type)


def _compose(elements: list[Any], file_type: str) -> ParsedDocument:
    text = ComposedText()
    if not any(element.text.strip() for element in elements):
        return text.finish(file_type)
    about = elements[0].metadata
    head = {
        "From": ", ".join(about.sent_from or ()),
        "To": ", ".join(about.sent_to or ()),
        "Date": about.last_modified,
    }
    if about.subject:
        text.add_heading(about.subject, 1)
    text.add("text", "\n".join(f"{name}: {value}" for name, value in head.items() if value))
    add_elements(text, elements)
    return text.finish(file_type, title=about.subject)
