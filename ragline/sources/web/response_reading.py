"""What an answer with a body becomes: a document, or none, and where its links lead.

How the main text is found is `page_extraction`; which types are documents, `media_types`.
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
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.timestamps import read_timestamp
from ragline.sources.web.crawl_state import READING, PageNote, Validators
from ragline.sources.web.http_client import Answer
from ragline.sources.web.media_types import PAGE_TYPES, is_document_type, media_type_of, name_file
from ragline.sources.web.page_extraction import ExtractedPage, extract_page
from ragline.sources.web.refresh_redirects import LONGEST_DELAY_S, find_refresh

# A page is parsed in this process, which has no limits of its own; it takes some 3 s a MiB.
MAX_PAGE_BYTES = 8 * 1024**2
_NAMED_PROGRAM = re.compile(r"\s*[\w-]+\s*:")


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A document that was got just now, and what to remember of it."""

    note: PageNote
    document: FetchedDocument | FailedFetch


@dataclass(frozen=True, slots=True)
class Redirection:
    """A page that sends its reader to another one; `target` is None where that is no web page."""

    target: str | None


def limit_body(headers: Mapping[str, str], max_document_bytes: int) -> int:
    """How much of an answer is worth reading: nothing of what can be no document."""
    media_type = media_type_of(headers.get("content-type", ""))
    if not is_document_type(media_type):
        return 0
    largest = MAX_PAGE_BYTES if media_type in PAGE_TYPES else max_document_bytes
    return min(largest, max_document_bytes)


def read_answer(answer: Answer, max_document_bytes: int) -> ReadPage | Redirection | None:
    """The document in an answer with a body; None when its type is that of no document."""
    stated = answer.headers.get("refresh")
    refresh = None if stated is None else find_refresh(stated, answer.url)
    if refresh is not None and refresh.delay_s <= LONGEST_DELAY_S:
        return Redirection(refresh.target)
    media_type = media_type_of(answer.headers.get("content-type", ""))
    if not is_document_type(media_type):
        return None
    if answer.is_cut:
        return _too_large(answer, limit_body(answer.headers, max_document_bytes))
    if media_type in PAGE_TYPES:
        return _read_page(answer)
    return _read_file(answer, name_file(answer.url, media_type))


def _read_page(answer: Answer) -> ReadPage | Redirection:
    try:
        page = extract_page(answer.body, answer.headers.get("content-type", ""), answer.url)
    except BrokenDocumentError as error:
        return _failed(answer, hash_bytes(answer.body).hex(), error)
    if page.refresh is not None:
        return Redirection(page.refresh.target)
    directives = page.directives | _header_directives(answer)
    if not page.content:
        empty = EmptyDocumentError("the page has no main text; it may be made by a script")
        return _failed(answer, f"empty {hash_text(page.title).hex()}", empty, directives, page)
    language = {"language": page.language} if page.language else {}
    document = FetchedDocument(
        answer.url, page.content, "page.html", metadata={"url": answer.url, **language}
    )
    version = hash_bytes(page.content).hex()
    return ReadPage(_note(answer, version, len(page.content), directives, page), document)


def _read_file(answer: Answer, name: str) -> ReadPage:
    version = hash_bytes(answer.body).hex()
    note = _note(answer, version, len(answer.body), _header_directives(answer))
    return ReadPage(
        note, FetchedDocument(answer.url, answer.body, name, metadata={"url": answer.url})
    )


def _too_large(answer: Answer, limit: int) -> ReadPage:
    error = DocumentTooLargeError(f"the page is larger than {limit} bytes")
    size = answer.headers.get("content-length", "")
    read = _failed(answer, f"over {limit} {size}", error, _header_directives(answer))
    # Asked for in full next time, when more may be allowed.
    return ReadPage(read.note.model_copy(update={"validators": Validators()}), read.document)


def _failed(
    answer: Answer,
    version: str,
    error: DocumentError,
    directives: frozenset[str] = frozenset(),
    page: ExtractedPage | None = None,
) -> ReadPage:
    note = _note(answer, version, len(answer.body), directives, page)
    return ReadPage(note, FailedFetch(answer.url, error))


def _note(
    answer: Answer,
    version: str,
    size_bytes: int,
    directives: frozenset[str],
    page: ExtractedPage | None = None,
) -> PageNote:
    has_links = page is not None and directives.isdisjoint({"nofollow", "none"})
    return PageNote(
        validators=Validators.of(answer.headers),
        version=version,
        size_bytes=size_bytes,
        changed_at=read_timestamp(answer.headers.get("last-modified")),
        is_indexed=directives.isdisjoint({"noindex", "none"}),
        links=page.links if page and has_links else (),
        canonical=page.canonical if page else None,
        reading=READING,
    )


def _header_directives(answer: Answer) -> frozenset[str]:
    """Those of X-Robots-Tag that are for every program; `name: noindex` is for one."""
    stated = answer.headers.get_list("x-robots-tag")
    lines = [line for line in stated if not _NAMED_PROGRAM.match(line)]
    return frozenset(word.strip().lower() for line in lines for word in line.split(","))
