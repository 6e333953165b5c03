"""Reads e-mail (eml, msg). The subject is the title. Sender, recipients and date come first."""

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
    """Read a message in the format of RFC 5322."""
    try:
        return _compose(
            partition_email(file=io.BytesIO(content), languages=NO_LANGUAGES), file_type
        )
    except AssertionError:
        # The message has a part that contains messages (a digest). `unstructured` cannot read such
        # a part.
        return _read_parts(content, file_type)


def _read_parts(content: bytes, file_type: str) -> ParsedDocument:
    """Read the plain text of a message and of the messages in it, each below its subject."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    text = ComposedText()
    for part in message.walk():
        if part["subject"] is not None:
            text.add_heading(str(part["subject"]), 1 if part is message else 2)
        if part.get_content_type() == "text/plain":
            text.add("text", str(part.get_content()))
    return text.finish(file_type, title=message["subject"])


def read_msg(content: bytes, file_type: str) -> ParsedDocument:
    """Read a message in the format of Outlook."""
    return _compose(partition_msg(file=io.BytesIO(content), languages=NO_LANGUAGES), file_type)


def _compose(elements: list[Any], file_type: str) -> ParsedDocument:
    text = ComposedText()
    if not any(element.text.strip() for element in elements):
        return text.finish(file_type)
    metadata = elements[0].metadata
    header = {
        "From": ", ".join(metadata.sent_from or ()),
        "To": ", ".join(metadata.sent_to or ()),
        "Date": metadata.last_modified,
    }
    if metadata.subject:
        text.add_heading(metadata.subject, 1)
    text.add("text", "\n".join(f"{name}: {value}" for name, value in header.items() if value))
    add_elements(text, elements)
    return text.finish(file_type, title=metadata.subject)
