"""One host, asked for one thing at a time; what did not change is answered from the notes.

Nothing is noted here: a probe must not let the listing after it take a change for noted.
Which pages are asked for is decided in `crawl`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ragline.errors import (
    DocumentUnavailableError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.sources.protocol import FailedFetch, FetchedDocument
from ragline.sources.web.crawl_state import PageNote, SitemapNote, Validators, WebNotes
from ragline.sources.web.http_client import Answer, PoliteClient
from ragline.sources.web.response_reading import Redirection, limit_body, read_answer
from ragline.sources.web.sitemaps import MAX_SITEMAP_BYTES, read_sitemap

GONE = frozenset({404, 410})
# The version of a page that cannot be had, before the one that it had.
FAILING = "unavailable"


@dataclass(frozen=True, slots=True)
class Visit:
    """What asking for one page came to; of `note`, `target` and `lack` one is there.

    `document` is there when the page came with a body. `target` is where it redirects to on
    the same host, by HTTP or by itself. `lack` says why there is no page, and `is_gone` that this
    proves it removed. `noted` is what there was at the last listing. A page that `is_failing` has
    a note all the same: that of the last listing or an empty one, under another version, and a
    failed document.
    """

    url: str
    noted: PageNote | None
    note: PageNote | None = None
    document: FetchedDocument | FailedFetch | None = None
    target: str | None = None
    lack: str | None = None
    is_gone: bool = False
    is_failing: bool = False

    @property
    def has_news(self) -> bool:
        """Whether the page is new or reads differently than at the last listing."""
        return self.note is not None and (
            self.noted is None or self.noted.version != self.note.version
        )


def fail_visit(url: str, noted: PageNote | None, reason: str) -> Visit:
    """A page that cannot be had for now: it is named, and what was read before is kept.

    Where a page links to is known from before too, so nothing behind it looks removed.
    """
    if noted is None:
        note = PageNote(
            validators=Validators(),
            version=FAILING,
            size_bytes=0,
            changed_at=None,
            is_indexed=True,
            links=(),
            canonical=None,
        )
        error: DocumentUnreadableError = DocumentUnreadableError(reason)
    else:
        note = noted.model_copy(update={"version": f"{FAILING} {noted.version}"})
        error = DocumentUnavailableError(reason)
    return Visit(url, noted, note, FailedFetch(url, error), is_failing=True)


class Site:
    """The pages and sitemaps of one origin."""

    def __init__(self, client: PoliteClient, notes: WebNotes, max_document_bytes: int) -> None:
        self._client = client
        self._notes = notes
        self._max_document_bytes = max_document_bytes

    @property
    def origin(self) -> str:
        return self._client.origin

    def visit(self, url: str, *, must_have_body: bool = False) -> Visit:
        """Ask for a page: for its body only if it changed, unless it `must_have_body`.

        Raises:
            PageFailedError: the page has no answer that can be used.
            SourceUnavailableError: the host does not answer.
        """
        noted = self._notes.read_page(url)
        conditions = {} if noted is None or must_have_body else noted.conditions()
        limit = partial(limit_body, max_document_bytes=self._max_document_bytes)
        answer = self._client.get(url, limit, conditions)
        if answer.status == 304 and noted is not None:
            return Visit(url, noted, note=noted)
        if answer.is_redirect:
            return self._redirect(answer.url, answer.target, noted)
        if not 200 <= answer.status < 300:
            lack, is_gone = f"status {answer.status}", answer.status in GONE
            return Visit(url, noted, lack=lack, is_gone=is_gone)
        return self._read(answer, noted)

    def read_note(self, url: str) -> PageNote | None:
        """What the last listing noted of a page."""
        return self._notes.read_page(url)

    def read_sitemap(self, url: str) -> SitemapNote:
        """What a sitemap names now.

        Raises:
            SourceUnavailableError: it cannot be had, or not whole.
        """
        noted = self._notes.read_sitemap(url)
        conditions = {} if noted is None else noted.validators.conditions()
        answer = self._client.get(url, lambda _: MAX_SITEMAP_BYTES, conditions)
        if answer.status == 304 and noted is not None:
            return noted
        if not 200 <= answer.status < 300 or answer.is_cut:
            fault = f"leads to {answer.target}" if answer.is_redirect else f"status {answer.status}"
            fault = f"larger than {MAX_SITEMAP_BYTES} bytes" if answer.is_cut else fault
            raise SourceUnavailableError(f"the sitemap {url} cannot be read: {fault}")
        try:
            found = read_sitemap(answer.body, url)
        except ValueError as error:
            raise SourceUnavailableError(f"the sitemap {url} cannot be read: {error}") from error
        return SitemapNote(
            validators=Validators.of(answer.headers),
            pages=found.pages,
            faults=tuple(found.faults),
            sitemaps=tuple(found.sitemaps),
        )

    def _redirect(self, url: str, target: str | None, noted: PageNote | None) -> Visit:
        if target is not None and target.startswith(f"{self.origin}/"):
            return Visit(url, noted, target=target)
        lack = f"leads to {target or 'no web page'}, which is not on this host"
        return Visit(url, noted, lack=lack, is_gone=True)

    def _read(self, answer: Answer, noted: PageNote | None) -> Visit:
        read = read_answer(answer, self._max_document_bytes)
        if read is None:
            lack = f"{answer.headers.get('content-type')} is no document"
            return Visit(answer.url, noted, lack=lack, is_gone=True)
        if isinstance(read, Redirection):
            return self._redirect(answer.url, read.target, noted)
        note = read.note
        if noted is not None and noted.version == note.version:
            # The server dates the file anew; the text is as old as it was.
            note = note.model_copy(update={"changed_at": noted.changed_at})
        return Visit(answer.url, noted, note=note, document=read.document)
