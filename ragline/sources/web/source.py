"""The pages of one host as a source: listing, reading, probing.

Loads without the extra `web`; what needs it is imported when the host is asked.
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
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument, SourceContext
from ragline.sources.web.crawl_state import WebNotes
from ragline.sources.web.page_cache import KeptPages
from ragline.sources.web.rate_limit import Clock, Pace
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.urls import origin_of

if TYPE_CHECKING:
    from ragline.sources.web.robots import RobotsRules
    from ragline.sources.web.site import Site, Visit


@dataclass(frozen=True, slots=True)
class _Host:
    site: Site
    rules: RobotsRules

    def visit(self, url: str) -> Visit:
        """A page with its body; one that cannot be had fails by itself."""
        from ragline.sources.web.site import fail_visit  # as in `_ask_host`

        try:
            return self.site.visit(url, must_have_body=True)
        except SourceUnavailableError as error:
            return fail_visit(url, self.site.read_note(url), str(error))


class WebSource:
    """The pages of one host. A document's id is its URL in one normalised form."""

    def __init__(
        self, settings: WebSettings, context: SourceContext, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._notes = WebNotes(context.notes)
        self._kept = KeptPages(context.home)
        self._clock = clock or Clock()
        self._pace = Pace(settings.requests_per_second, self._clock)

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every page, in the order in which they are found.

        What had to be read for it is kept for `fetch_documents`.

        Raises:
            SourceUnavailableError: robots.txt, a sitemap, a start page or every page could not be
                had, or there are too many pages. The message names them.
        """
        self._kept.clear()
        with self._ask_host(may_be_noted=False) as host:
            from ragline.sources.web.crawl import Crawl  # as in `_ask_host`

            crawl = Crawl(self._settings, host.site, host.rules, self._notes)
            for visit in crawl.list_pages():
                assert visit.note is not None
                if visit.document is not None and visit.has_news:
                    self._kept.keep(visit.document)
                changed_at = visit.note.changed_at or crawl.changed_at.get(visit.url)
                yield ListedDocument(
                    visit.url, visit.note.version, visit.note.size_bytes, changed_at
                )

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named pages: first those that the listing kept, then those to be requested.

        Raises:
            SourceUnavailableError: there are pages to request, and robots.txt cannot be had.
        """
        absent: list[str] = []
        for document_id in dict.fromkeys(document_ids):
            kept = self._kept.take(document_id)
            if kept is None:
                absent.append(document_id)
            else:
                yield kept
        if absent:
            with self._ask_host(may_be_noted=True) as host:
                for document_id in absent:
                    yield self._fetch(host, document_id)

    def probe(self) -> str:
        """A hash over the sitemaps and start pages: texts, links and stated times of change.

        One conditional request each. A page that changed behind them does not show.
        """
        with self._ask_host(may_be_noted=True) as host:
            from ragline.sources.web.entry_probe import read_entry_states  # as in `_ask_host`

            states = read_entry_states(self._settings, host.site, host.rules)
        return hashlib.sha256(json.dumps(states, sort_keys=True).encode()).hexdigest()

    @contextmanager
    def _ask_host(self, *, may_be_noted: bool) -> Iterator[_Host]:
        """The host, with its robots.txt read; names the source in what goes wrong."""
        try:
            # They need the extra `web`, and a quarter of a second that processes which only
            # read the configuration need not pay.
            from ragline.sources.web.http_client import PoliteClient
            from ragline.sources.web.robots import read_rules
            from ragline.sources.web.site import Site
            from ragline.sources.web.urls import normalise_stated
        except ImportError as error:
            raise SourceUnavailableError(
                f"source {self._settings.name}: the kind web needs more: pip install "
                f"'ragline[web]' ({error})"
            ) from error
        settings, secrets = self._settings, self._settings.read_credentials()
        try:
            origin = origin_of(normalise_stated(settings.address))
            with PoliteClient(settings, origin, secrets, self._pace, self._clock) as client:
                rules = read_rules(
                    client, self._notes, settings.user_agent, may_be_noted=may_be_noted
                )
                self._pace.slow_to(rules.interval_s)
                yield _Host(Site(client, self._notes, settings.max_document_bytes), rules)
        except SourceUnavailableError as error:
            raise SourceUnavailableError(f"source {settings.name}: {error}") from error

    def _fetch(self, host: _Host, document_id: str) -> FetchedDocument | FailedFetch:
        """Request a page that was listed. It may have gone since, or be another one now."""
        if not document_id.startswith(f"{host.site.origin}/"):
            reason = f"it is no page of {host.site.origin}"
        elif "#" in document_id:
            reason = "it is no web page"
        elif not host.rules.allows(document_id):
            reason = "robots.txt forbids it"
        else:
            visit = host.visit(document_id)
            if visit.document is not None:
                return visit.document
            reason = visit.lack or f"it leads to {visit.target} now"
            if visit.noted is not None and not visit.is_gone and visit.target is None:
                # It was readable: what is served stays until it is again.
                unavailable = DocumentUnavailableError(f"{document_id}: {reason}")
                return FailedFetch(document_id, unavailable)
        return FailedFetch(document_id, DocumentUnreadableError(f"{document_id}: {reason}"))
