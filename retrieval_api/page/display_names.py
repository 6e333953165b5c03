"""What documents and their formats are called on the page. None of it is stored."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from ragline.parsing.formats import FORMATS, UNKNOWN

_NAMES = {row.media_type: row.label for row in FORMATS.values()}


def format_document_name(title: str | None, document_id: str) -> str:
    """The title of a document; of one without a title, the file name in its id, or the id."""
    if title and title.strip():
        return title
    parts = urlsplit(document_id) if "://" in document_id else None
    path = parts.path if parts else document_id
    name = path.rstrip("/").rpartition("/")[2]
    if parts is not None:
        name = unquote(name) or parts.netloc
    return name if name.strip() else document_id


def format_media_type(media_type: str | None) -> str | None:
    """A media type in words: `PDF`, `Word document`; a record is a `Record`, others stay."""
    if media_type is None:
        return None
    if media_type == UNKNOWN:
        return "Record"
    return _NAMES.get(media_type, media_type)
