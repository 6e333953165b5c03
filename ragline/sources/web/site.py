"""Requests the pages and sitemaps of one host.

If a page or a sitemap is unchanged, its saved state is used. This module does not save states,
because a probe also uses it. If a probe saved a new state, the next listing would miss the change.
`crawl` decides which pages are requested, and saves the states.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ragline.errors import (
    DocumentUnavailableError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.sources.protocol import FailedFetch, FetchResult
from ragline.sources.web.crawl_state import CrawlState, PageState, SitemapState, Validators
from ragline.sources.web.http_client import HttpClient, Response
from ragline.sources.web.response_reading import Redirection, limit_body, read_response
from ragline.sources.web.sitemaps import MAX_SITEMAP_BYTES, read_sitemap

GONE = frozenset({404, 410})
# The version of a page that cannot be read begins with this word. The last version of the page
# follows, if there is one.
FAILING = "unavailable"


@dataclass(frozen=True, slots=True)
class Visit:
    """The result of a request for one page. Exactly one of `state`, `target`, `absence` is set.

    `saved` is the state from the last listing, and `state` is the state now. `document` is set if
    the response has a body. `target` is the URL of a redirect to the same host, by HTTP or by a
    refresh. `absence` says why there is no page. If `is_gone` is true, the page counts as removed.
    If `is_failing` is true, the page cannot be read: `document` is a failed fetch, and `version` of
    `state` begins with FAILING.
    """

    url: str
    saved: PageState | None
    state: PageState | None = None
    document: FetchResult | None = None
    target: str | None = None
    absence: str | None = None
    is_gone: bool = False
    is_failing: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether the page is new, or has another version than at the last listing."""
        return self.state is not None and (
            self.saved is None or self.saved.version != self.state.version
        )


def fail_visit(url: str, saved: PageState | None, reason: str) -> Visit:
    """The visit of a page that cannot be read now. The page is listed, and its indexed text stays.

    The visit has the saved links of the page. Otherwise a page to which only this page links would
    look removed.
    """
    if saved is None:
        state = PageState(
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
        state = saved.model_copy(update={"version": f"{FAILING} {saved.version}"})
        error = DocumentUnavailableError(reason)
    return Visit(url, saved, state, FailedFetch(url, error), is_failing=True)


class Site:
    """The pages and sitemaps of one origin."""

    def __init__(self, client: HttpClient, state: CrawlState, max_document_bytes: int) -> None:
        self._client = client
        self._state = state
        self._max_document_bytes = max_document_bytes

    @property
    def origin(self) -> str:
        return self._client.origin

    def visit(self, url: str, *, needs_body: bool = False) -> Visit:
        """Request a page. Without `needs_body`, the body is sent only if the page changed.

        Raises:
            PageFailedError: the page has no usable response.
            SourceUnavailableError: the host does not answer.
        """
        saved = self._state.read_page(url)
        conditions = {} if saved is None or needs_body else saved.conditions()
        limit = partial(limit_body, max_document_bytes=self._max_document_bytes)
        response = self._client.get(url, limit, conditions)
        if response.status == 304 and saved is not None:
            return Visit(url, saved, state=saved)
        if response.is_redirect:
            return self._redirect(response.url, response.target, saved)
        if not 200 <= response.status < 300:
            absence, is_gone = f"status {response.status}", response.status in GONE
            return Visit(url, saved, absence=absence, is_gone=is_gone)
        return self._read(response, saved)

    def read_saved(self, url: str) -> PageState | None:
        """The state of a page from the last listing."""
        return self._state.read_page(url)

    def read_sitemap(self, url: str) -> SitemapState:
        """The current content of a sitemap.

        Raises:
            SourceUnavailableError: the sitemap cannot be read completely.
        """
        saved = self._state.read_sitemap(url)
        conditions = {} if saved is None else saved.validators.conditions()
        response = self._client.get(url, lambda _: MAX_SITEMAP_BYTES, conditions)
        if response.status == 304 and saved is not None:
            return saved
        if not 200 <= response.status < 300 or response.is_truncated:
            fault = (
                f"redirects to {response.target}"
                if response.is_redirect
                else f"status {response.status}"
            )
            fault = f"larger than {MAX_SITEMAP_BYTES} bytes" if response.is_truncated else fault
            raise SourceUnavailableError(f"the sitemap {url} cannot be read: {fault}")
        try:
            found = read_sitemap(response.body, url)
        except ValueError as error:
            raise SourceUnavailableError(f"the sitemap {url} cannot be read: {error}") from error
        return SitemapState(
            validators=Validators.of(response.headers),
            pages=found.pages,
            faults=tuple(found.faults),
            sitemaps=tuple(found.sitemaps),
        )

    def _redirect(self, url: str, target: str | None, saved: PageState | None) -> Visit:
        if target is not None and target.startswith(f"{self.origin}/"):
            return Visit(url, saved, target=target)
        absence = f"redirects to {target or 'an invalid URL'}, which is not on this host"
        return Visit(url, saved, absence=absence, is_gone=True)

    def _read(self, response: Response, saved: PageState | None) -> Visit:
        read = read_response(response, self._max_document_bytes)
        if read is None:
            absence = f"{response.headers.get('content-type')} is not the type of a document"
            return Visit(response.url, saved, absence=absence, is_gone=True)
        if isinstance(read, Redirection):
            return self._redirect(response.url, read.target, saved)
        state = read.state
        if saved is not None and saved.version == state.version:
            # The text is equal, so the saved date is right, even if the server states a new one.
            state = state.model_copy(update={"changed_at": saved.changed_at})
        return Visit(response.url, saved, state=state, document=read.document)
