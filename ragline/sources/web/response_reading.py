"""Reads a response with a body: its document, its links and its robots directives.

`page_extraction` finds the main text. `media_types` decides which types are documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ragline.errors import (
    BrokenDocumentError,
    DocumentError,
    DocumentTooLargeError,
    EmptyDocumentError,
)
from ragline.fingerprints import hash_bytes, hash_text
from ragline.sources.protocol import FailedFetch, FetchedDocument, FetchResult
from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.crawl_state import STATE_VERSION, PageState, Validators
from ragline.sources.web.http_client import Response
from ragline.sources.web.media_types import PAGE_TYPES, is_document_type, name_file, read_media_type
from ragline.sources.web.page_extraction import ExtractedPage, extract_page
from ragline.sources.web.refresh_redirects import MAX_DELAY_S, find_refresh

# The maximum size of a page. A page is parsed in this process without limits of memory and time.
# The parser takes about 3 s per MiB.
MAX_PAGE_BYTES = 8 * 1024**2
_NAMED_CRAWLER = re.compile(r"\s*[\w-]+\s*:")


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A document that was read from a response, and the state to save for it."""

    state: PageState
    document: FetchResult


@dataclass(frozen=True, slots=True)
class Redirection:
    """A page that redirects to another page.

    `target` is None if the target is not a web page.
    """

    target: str | None


def limit_body(headers: Mapping[str, str], max_document_bytes: int) -> int:
    """The maximum number of bytes to read from a body.

    The result is 0 if the type of the response cannot be a document.
    """
    media_type = read_media_type(headers.get("content-type", ""))
    if not is_document_type(media_type):
        return 0
    max_bytes = MAX_PAGE_BYTES if media_type in PAGE_TYPES else max_document_bytes
    return min(max_bytes, max_document_bytes)


def read_response(response: Response, max_document_bytes: int) -> ReadPage | Redirection | None:
    """Read a response with a body. Return its document or its redirect.

    The result is None if the type of the response cannot be a document.
    """
    header = response.headers.get("refresh")
    refresh = None if header is None else find_refresh(header, response.url)
    if refresh is not None and refresh.delay_s <= MAX_DELAY_S:
        return Redirection(refresh.target)
    media_type = read_media_type(response.headers.get("content-type", ""))
    if not is_document_type(media_type):
        return None
    if response.is_truncated:
        return _too_large(response, limit_body(response.headers, max_document_bytes))
    if media_type in PAGE_TYPES:
        return _read_page(response)
    return _read_file(response, name_file(response.url, media_type))


def _read_page(response: Response) -> ReadPage | Redirection:
    try:
        page = extract_page(response.body, response.headers.get("content-type", ""), response.url)
    except BrokenDocumentError as error:
        return _failed(response, hash_bytes(response.body).hex(), error)
    if page.refresh is not None:
        return Redirection(page.refresh.target)
    directives = page.directives | _header_directives(response)
    if not page.content:
        empty = EmptyDocumentError("the page has no main text; a script may create its text")
        return _failed(response, f"empty {hash_text(page.title).hex()}", empty, directives, page)
    language = {"language": page.language} if page.language else {}
    document = FetchedDocument(
        response.url, page.content, "page.html", metadata={"url": response.url, **language}
    )
    version = hash_bytes(page.content).hex()
    return ReadPage(_make_state(response, version, len(page.content), directives, page), document)


def _read_file(response: Response, name: str) -> ReadPage:
    version = hash_bytes(response.body).hex()
    state = _make_state(response, version, len(response.body), _header_directives(response))
    return ReadPage(
        state, FetchedDocument(response.url, response.body, name, metadata={"url": response.url})
    )


def _too_large(response: Response, limit: int) -> ReadPage:
    error = DocumentTooLargeError(f"the page is larger than {limit} bytes")
    size = response.headers.get("content-length", "")
    read = _failed(response, f"over {limit} {size}", error, _header_directives(response))
    # Without validators, the next request asks for the whole page. The limit can be higher then.
    return ReadPage(read.state.model_copy(update={"validators": Validators()}), read.document)


def _failed(
    response: Response,
    version: str,
    error: DocumentError,
    directives: frozenset[str] = frozenset(),
    page: ExtractedPage | None = None,
) -> ReadPage:
    state = _make_state(response, version, len(response.body), directives, page)
    return ReadPage(state, FailedFetch(response.url, error))


def _make_state(
    response: Response,
    version: str,
    size_bytes: int,
    directives: frozenset[str],
    page: ExtractedPage | None = None,
) -> PageState:
    has_links = page is not None and directives.isdisjoint({"nofollow", "none"})
    return PageState(
        validators=Validators.of(response.headers),
        version=version,
        size_bytes=size_bytes,
        changed_at=read_timestamp(response.headers.get("last-modified")),
        is_indexed=directives.isdisjoint({"noindex", "none"}),
        links=page.links if page and has_links else (),
        canonical=page.canonical if page else None,
        reading=STATE_VERSION,
    )


def _header_directives(response: Response) -> frozenset[str]:
    """The directives of the headers X-Robots-Tag that apply to all crawlers.

    A value that begins with a name, such as `name: noindex`, applies to one crawler and is ignored.
    """
    values = response.headers.get_list("x-robots-tag")
    lines = [line for line in values if not _NAMED_CRAWLER.match(line)]
    return frozenset(word.strip().lower() for line in lines for word in line.split(","))
