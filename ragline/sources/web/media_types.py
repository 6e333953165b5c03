"""Which kinds of answer are documents, how much of them is read, and how a file is named.

What is inside a file is found out by `ragline.parsing`; nothing here looks into one.
"""

from __future__ import annotations

from mimetypes import MimeTypes
from pathlib import PurePosixPath

from ragline.sources.web.urls import path_of

PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# Nothing to read, or (feeds) what the pages say themselves.
_FOREIGN_MAIN_TYPES = frozenset({"audio", "font", "image", "video"})
_FOREIGN_TYPES = frozenset(
    {
        "application/atom+xml",
        "application/gzip",
        "application/javascript",
        "application/rss+xml",
        "application/x-javascript",
        "application/x-tar",
        "application/zip",
        "text/css",
        "text/javascript",
    }
)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_SUFFIXES = {
    "application/epub+zip": ".epub",
    "application/json": ".json",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/xml": ".xml",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/rtf": ".rtf",
    "text/xml": ".xml",
}
# No files of the machine are read, so that every machine knows the same types.
_KNOWN_TYPES = MimeTypes()


def media_type_of(content_type: str) -> str:
    """The type of a Content-Type header without its parameters; a page's when there is none."""
    return content_type.partition(";")[0].strip().lower() or "text/html"


def is_document_type(media_type: str) -> bool:
    """Whether an answer of this type can be a document."""
    main = media_type.partition("/")[0]
    return main not in _FOREIGN_MAIN_TYPES and media_type not in _FOREIGN_TYPES


def may_be_document(url: str) -> bool:
    """False for a URL whose name ends like a picture's, a sound's, a script's and so on."""
    named, _ = _KNOWN_TYPES.guess_type(PurePosixPath(path_of(url)).name)
    return named is None or is_document_type(named)


def name_file(url: str, media_type: str) -> str:
    """The last part of the URL's path, with the ending that the type asks for."""
    name = PurePosixPath(path_of(url)).name or "file"
    suffix = PurePosixPath(name).suffix.lower()
    if media_type == "text/plain":
        return name if suffix else f"{name}.txt"
    expected = _SUFFIXES.get(media_type, suffix)
    return name if suffix == expected else f"{name}{expected}"
