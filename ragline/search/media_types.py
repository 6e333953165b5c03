"""The media type of each format that a reader knows (IANA, "Media Types")."""

from __future__ import annotations

OFFICE = "application/vnd.openxmlformats-officedocument"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

MEDIA_TYPES = {
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": f"{OFFICE}.wordprocessingml.document",
    "eml": "message/rfc822",
    "epub": "application/epub+zip",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "md": "text/markdown",
    "msg": "application/vnd.ms-outlook",
    "odp": f"{OPEN_DOCUMENT}.presentation",
    "ods": f"{OPEN_DOCUMENT}.spreadsheet",
    "odt": f"{OPEN_DOCUMENT}.text",
    "org": "text/org",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": f"{OFFICE}.presentationml.presentation",
    "rst": "text/x-rst",
    "rtf": "application/rtf",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{OFFICE}.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
}
UNKNOWN = "application/octet-stream"


def media_type_of(file_type: str | None) -> str | None:
    """The media type of what a reader was told a file is; None where that is not known."""
    return None if file_type is None else MEDIA_TYPES.get(file_type, UNKNOWN)
