"""Formats values as text for the page: durations, counts, timestamps, scores, names and formats."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from markupsafe import Markup, escape

from ragline.counts import count
from ragline.parsing.formats import FORMATS, UNKNOWN

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_FORMAT_LABELS = {row.media_type: row.label for row in FORMATS.values()}


def format_age(seconds: float | None) -> str:
    """Format a duration in its largest unit, such as `3 minutes`. For None, return `never`."""
    if seconds is None:
        return "never"
    for length, unit in _UNITS:
        if seconds >= length:
            return count(int(seconds // length), unit)
    return "under a second"


def format_sentence(clause: str) -> str:
    """Make a sentence from a clause, with a capital letter and a full stop."""
    text = clause.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "…")) else ".")


def format_commands(text: str) -> Markup:
    """Format the parts of a message between backticks as code. The text is escaped."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def format_timestamp(timestamp: datetime | None) -> str:
    """Format a timestamp in UTC, to the second. For None, return `never`."""
    if timestamp is None:
        return "never"
    return timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_score(score: float | None) -> str:
    """Format a score with three decimal places. For None, return a dash."""
    return "–" if score is None else f"{score:.3f}"


def format_document_name(title: str | None, document_id: str) -> str:
    """Return the title of a document, otherwise the file name in its id, otherwise the id."""
    if title and title.strip():
        return title
    parts = urlsplit(document_id) if "://" in document_id else None
    path = parts.path if parts else document_id
    name = path.rstrip("/").rpartition("/")[2]
    if parts is not None:
        name = unquote(name) or parts.netloc
    return name if name.strip() else document_id


def format_media_type(media_type: str | None) -> str | None:
    """Return a media type in words, such as `PDF`. An unknown media type is returned unchanged."""
    if media_type is None:
        return None
    if media_type == UNKNOWN:
        return "Record"
    return _FORMAT_LABELS.get(media_type, media_type)
