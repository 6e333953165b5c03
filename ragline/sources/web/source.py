"""The source of kind `web`: the pages of one host.

This module loads without the extra `web`. The modules that need the extra are imported before the
first request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragline.errors import (
    DocumentUnavailableError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.sources.protocol import FailedFetch, FetchResult, ListedDocument, SourceContext
from ragline.sources.web.crawl_state import CrawlState
from ragline.sources.web.page_cache import PageCache
from ragline.sources.web.rate_limit import Clock, RateLimit
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.urls import read_origin

if TYPE_CHECKING:
    from ragline.sources.web.robots import RobotsRules
    from ragline.sources.web.site import Site, Visit


@dataclass(frozen=True, slots=True)
class _Host:
    site: Site
    rules: RobotsRules

    def visit(self, url: str) -> Visit:
        """Request a page with its body. If the page cannot be read, return a failed visit."""
        from ragline.sources.web.site import fail_visit  # needs the extra `web`

        try:
            return self.site.visit(url, needs_body=True)
        except SourceUnavailableError as error:
            return fail_visit(url, self.site.read_saved(url), str(error))


class WebSource:
    """A source whose documents are the pages of one host.

    A document's id is its normalised URL.
    """

    def __init__(
        self, settings: WebSettings, context: SourceContext, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._state = CrawlState(context.state)
        self._cache = PageCache(context.folder)
        self._clock = clock or Clock()
        self._rate_limit = RateLimit(settings.requests_per_second, self._clock)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every page, in the order in which the pages are found.

        The pages that the listing reads are cached for `fetch_documents`.

        Raises:
            SourceUnavailableError: robots.txt, a sitemap, a start page or all pages could not be
                read, or there are too many pages. The message names them.
        """
        self._cache.clear()
        with self._open_host(use_saved=False) as host:
            from ragline.sources.web.crawl import Crawl  # needs the extra `web`

            crawl = Crawl(self._settings, host.site, host.rules, self._state)
            for visit in crawl.list_pages():
                assert visit.state is not None
                if visit.document is not None and visit.is_changed:
                    self._cache.store(visit.document)
                changed_at = visit.state.changed_at or crawl.changed_at.get(visit.url)
                yield ListedDocument(
                    visit.url, visit.state.version, visit.state.size_bytes, changed_at
                )

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the named pages: first those in the cache, then those that must be requested.

        Raises:
            SourceUnavailableError: a page must be requested, and robots.txt cannot be read.
        """
        uncached: list[str] = []
        for document_id in dict.fromkeys(document_ids):
            cached = self._cache.pop(document_id)
            if cached is None:
                uncached.append(document_id)
            else:
                yield cached
        if uncached:
            with self._open_host(use_saved=True) as host:
                for document_id in uncached:
                    yield self._fetch(host, document_id)

    def probe(self) -> str:
        """A hash of the sitemaps and start pages: versions, links and times of change.

        The probe sends one conditional request for each sitemap and each start page. It detects a
        change of another page if a sitemap states the time of the change.
        """
        with self._open_host(use_saved=True) as host:
            from ragline.sources.web.entry_probe import read_entries  # needs the extra `web`

            entries = read_entries(self._settings, host.site, host.rules)
        return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()

    @contextmanager
    def _open_host(self, *, use_saved: bool) -> Iterator[_Host]:
        """Open the host and read its robots.txt. Each error names the source."""
        try:
            # These modules need the extra `web`. Their import takes a quarter of a second. A
            # process that only reads the configuration does not need them.
            from ragline.sources.web.http_client import HttpClient
            from ragline.sources.web.robots import read_rules
            from ragline.sources.web.site import Site
            from ragline.sources.web.urls import normalise_configured
        except ImportError as error:
            raise SourceUnavailableError(
                f"source {self._settings.name}: the kind web needs its packages: pip install "
                f"'ragline[web]' ({error})"
            ) from error
        settings, secrets = self._settings, self._settings.read_credentials()
        try:
            origin = read_origin(normalise_configured(settings.address))
            with HttpClient(settings, origin, secrets, self._rate_limit, self._clock) as client:
                rules = read_rules(client, self._state, settings.user_agent, use_saved=use_saved)
                self._rate_limit.raise_interval(rules.interval_s)
                yield _Host(Site(client, self._state, settings.max_document_bytes), rules)
        except SourceUnavailableError as error:
            raise SourceUnavailableError(f"source {settings.name}: {error}") from error

    def _fetch(self, host: _Host, document_id: str) -> FetchResult:
        """Request a listed page.

        The page can have been removed or changed after the listing.
        """
        if not document_id.startswith(f"{host.site.origin}/"):
            reason = f"it is not a page of {host.site.origin}"
        elif "#" in document_id:
            reason = "it is not a web page"
        elif not host.rules.allows(document_id):
            reason = "robots.txt forbids it"
        else:
            visit = host.visit(document_id)
            if visit.document is not None:
                return visit.document
            reason = visit.absence or f"it now redirects to {visit.target}"
            if visit.saved is not None and not visit.is_gone and visit.target is None:
                # The page was readable before, so its stored text stays until it is readable again.
                unavailable = DocumentUnavailableError(f"{document_id}: {reason}")
                return FailedFetch(document_id, unavailable)
        return FailedFetch(document_id, DocumentUnreadableError(f"{document_id}: {reason}"))
