"""Decides by the media type which responses are documents, and names downloaded files.

This module does not read the content of a file. `ragline.parsing` detects the format by content.
"""

from __future__ import annotations

from mimetypes import MimeTypes
from pathlib import PurePosixPath

from ragline.parsing.formats import FORMATS
from ragline.sources.web.urls import read_path

PAGE_TYPES = frozenset({FORMATS["html"].media_type, *FORMATS["html"].other_media_types})
# Responses of these types contain no text, or they are feeds. A feed repeats the text of the pages.
_IGNORED_MAIN_TYPES = frozenset({"audio", "font", "image", "video"})
_IGNORED_TYPES = frozenset(
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
_SUFFIXES = {
    media_type: row.suffixes
    for row in FORMATS.values()
    for media_type in (row.media_type, *row.other_media_types)
}
# The files of this machine with further types are not read, so that every machine knows the same
# types.
_KNOWN_TYPES = MimeTypes()


def read_media_type(content_type: str) -> str:
    """The media type in a Content-Type header; `text/html` if the header is empty."""
    return content_type.partition(";")[0].strip().lower() or "text/html"


def is_document_type(media_type: str) -> bool:
    """Whether a response of this type can be a document."""
    main = media_type.partition("/")[0]
    return main not in _IGNORED_MAIN_TYPES and media_type not in _IGNORED_TYPES


def may_be_document(url: str) -> bool:
    """Whether the suffix of a URL can be that of a document.

    The result is false for pictures, sounds, scripts and similar files.
    """
    guessed, _ = _KNOWN_TYPES.guess_type(PurePosixPath(read_path(url)).name)
    return guessed is None or is_document_type(guessed)


def name_file(url: str, media_type: str) -> str:
    """The name of a downloaded file: the last part of the URL's path.

    If its suffix does not belong to the media type, a suffix of the media type is added.
    """
    name = PurePosixPath(read_path(url)).name or "file"
    suffix = PurePosixPath(name).suffix.lower()
    if media_type == FORMATS["txt"].media_type:
        return name if suffix else f"{name}.txt"
    suffixes = _SUFFIXES.get(media_type, (suffix,))
    return name if suffix in suffixes else f"{name}{suffixes[0]}"
