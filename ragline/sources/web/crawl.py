"""Crawls the pages of a host that the settings and robots.txt permit.

Each page is requested once. A crawl that ends without an error has found all such pages. `site`
requests one page, and `source` lists the pages.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from pathspec import GitIgnoreSpec

from ragline.errors import RaglineError, SourceUnavailableError
from ragline.sources.web.crawl_state import (
    CrawlState,
    PageState,
    SitemapState,
    page_key,
    sitemap_key,
)
from ragline.sources.web.http_client import PageFailedError
from ragline.sources.web.media_types import may_be_document
from ragline.sources.web.robots import RobotsRules
from ragline.sources.web.settings import ALL_PAGES, WebSettings
from ragline.sources.web.site import Site, Visit, fail_visit
from ragline.sources.web.urls import normalise_configured, read_path

logger = logging.getLogger(__name__)

# An error message names at most this number of pages and counts the others.
MAX_NAMED_PAGES = 5


class Crawl:
    """The crawl of one listing.

    `changed_at` contains the times of change that sitemaps state, by the URL of the page.
    """

    def __init__(
        self, settings: WebSettings, site: Site, rules: RobotsRules, state: CrawlState
    ) -> None:
        self._settings = settings
        self._site = site
        self._rules = rules
        self._state = state
        self._scope = _Scope(settings)
        self.changed_at: dict[str, datetime | None] = {}
        self._seen: set[str] = set()
        self._found: set[str] = set()
        self._waiting: deque[str] = deque()
        self._starts: set[str] = set()
        # For each URL that redirects: its target, and the state that was saved before it
        # redirected.
        self._redirects: dict[str, tuple[str, PageState | None]] = {}
        self._saved_keys: set[str] = set()
        self._faults: list[str] = []
        self._sitemap_faults: list[tuple[str, str]] = []
        self._has_response = False

    def list_pages(self) -> Iterator[Visit]:
        """Yield each page of the listing once.

        A page that cannot be read is yielded as a failed visit. A page that names another canonical
        page is left out if the canonical page is listed. Otherwise it is yielded after the other
        pages.

        Raises:
            SourceUnavailableError: a start page, a sitemap or all pages could not be read, or there
                are more pages than `max_pages`. The listing is incomplete.
        """
        for url in self._settings.start:
            self._add_start(normalise_configured(url))
        self._read_sitemaps()
        listed: set[str] = set()
        copies: list[tuple[Visit, str]] = []
        for visit, page in chain(self._visit_all(), self._visit_loops()):
            if page.canonical is not None:
                copies.append((visit, page.canonical))
            elif page.is_indexed:
                listed.add(visit.url)
                yield visit
        yield from _list_orphan_copies(copies, listed)
        for sitemap, location in self._sitemap_faults:
            reason = f"the sitemap {sitemap} names {location!r}, which is not a web page"
            yield fail_visit(f"{sitemap}#{location}", None, reason)
        self._require_response()
        self._state.delete_others(self._saved_keys)

    def _visit_all(self) -> Iterator[tuple[Visit, PageState]]:
        """Request the waiting pages, and add the pages that they link to.

        Yield the pages that the patterns match, with their states.
        """
        while self._waiting:
            visit = self._visit(self._waiting.popleft())
            if visit.state is None:
                continue
            is_new = visit.document is not None and not visit.is_failing
            self._save(page_key(visit.url), visit.state, is_new=is_new)
            if visit.state.canonical is not None:
                self._add_links([visit.state.canonical])
            if self._settings.start:
                self._add_links(visit.state.links)
            if self._scope.contains(visit.url):
                yield visit, visit.state

    def _visit(self, url: str) -> Visit:
        """Request a page. If it has no usable response, return a failed visit."""
        try:
            visit = self._site.visit(url)
        except PageFailedError as error:
            return self._fail(url, str(error))
        except RaglineError:
            raise
        except Exception as error:
            logger.exception("%s: %s cannot be read", self._settings.name, url)
            return self._fail(url, f"{url}: cannot be read: {type(error).__name__}: {error}")
        if visit.target is not None:
            self._redirects[url] = (visit.target, visit.saved)
            self._add_target(url, visit.target)
        elif visit.absence is not None:
            return self._handle_absence(visit, visit.absence)
        self._has_response = True
        return visit

    def _fail(self, url: str, reason: str) -> Visit:
        if url in self._starts:
            raise SourceUnavailableError(f"the start page cannot be read: {reason}")
        self._faults.append(reason)
        return fail_visit(url, self._state.read_page(url), reason)

    def _handle_absence(self, visit: Visit, reason: str) -> Visit:
        if visit.url in self._starts:
            raise SourceUnavailableError(f"the start page {visit.url} does not exist: {reason}")
        # If the page was readable before, it can become readable again.
        if visit.saved is not None and not visit.is_gone:
            return self._fail(visit.url, f"{visit.url}: {reason}")
        logger.info("%s: not listed: %s: %s", self._settings.name, visit.url, reason)
        self._has_response |= visit.is_gone
        return visit

    def _add_start(self, url: str) -> None:
        if not self._rules.allows(url):
            raise SourceUnavailableError(f"robots.txt forbids the start page {url}")
        self._starts.add(url)
        self._add(url)

    def _add_target(self, url: str, target: str) -> None:
        if url in self._starts and target not in self._found:
            self._add_start(target)
        else:
            self._add_links([target])

    def _add_links(self, urls: Iterable[str]) -> None:
        for url in urls:
            if url in self._seen:
                continue
            self._seen.add(url)
            if self._scope.contains(url) and may_be_document(url):
                if self._rules.allows(url):
                    self._add(url)
                else:
                    logger.info("%s: robots.txt forbids %s", self._settings.name, url)

    def _add(self, url: str) -> None:
        if url in self._found:
            return
        if len(self._found) >= self._settings.max_pages:
            raise SourceUnavailableError(
                f"there are more than {self._settings.max_pages} pages; raise max_pages, or "
                "narrow include and exclude"
            )
        self._found.add(url)
        self._waiting.append(url)

    def _read_sitemaps(self) -> None:
        """Read the configured sitemaps and the sitemaps that they name. Add their pages."""
        waiting = deque(normalise_configured(url) for url in self._settings.sitemaps)
        known = set(waiting)
        while waiting:
            url = waiting.popleft()
            sitemap = self._site.read_sitemap(url)
            self._save(sitemap_key(url), sitemap, is_new=True)
            self._add_sitemap_pages(url, sitemap)
            self._sitemap_faults += [(url, location) for location in sitemap.faults]
            further = [nested for nested in sitemap.sitemaps if nested not in known]
            self._check_nested(url, further, len(known))
            known.update(further)
            waiting.extend(further)

    def _add_sitemap_pages(self, url: str, sitemap: SitemapState) -> None:
        pages = {page: time for page, time in sitemap.pages.items() if self._is_on_host(page)}
        if sitemap.pages and not pages:
            raise SourceUnavailableError(
                f"the sitemap {url} names {len(sitemap.pages)} pages and none of them on "
                f"{self._site.origin}; name the host of the pages in the settings"
            )
        self.changed_at |= pages
        self._add_links(pages)

    def _check_nested(self, url: str, nested: list[str], known: int) -> None:
        other_hosts = [target for target in nested if not self._is_on_host(target)]
        if other_hosts:
            raise SourceUnavailableError(
                f"the sitemap {url} names the sitemap {other_hosts[0]}, which is not on this "
                "host; write the sitemaps of this host under sitemaps"
            )
        if known + len(nested) > self._settings.max_pages:
            raise SourceUnavailableError(
                f"there are more than {self._settings.max_pages} sitemaps; raise max_pages"
            )

    def _is_on_host(self, url: str) -> bool:
        return url.startswith(f"{self._site.origin}/")

    def _save(self, key: str, state: PageState | SitemapState, *, is_new: bool) -> None:
        self._saved_keys.add(key)
        if is_new:
            self._state.write(key, state)

    def _visit_loops(self) -> Iterator[tuple[Visit, PageState]]:
        """Yield the pages that redirect in a loop, then the pages to which their saved links lead.

        Raises:
            SourceUnavailableError: a start page redirects in a loop.
        """
        visited: set[str] = set()
        while fresh := [visit for visit in self._list_loops() if visit.url not in visited]:
            for visit in fresh:
                visited.add(visit.url)
                if visit.state is not None:
                    self._saved_keys.add(page_key(visit.url))
                    self._add_links(visit.state.links if self._settings.start else ())
                    yield visit, visit.state
            yield from self._visit_all()

    def _list_loops(self) -> Iterator[Visit]:
        """Yield failed visits for each loop of redirects.

        Each page that redirects into the loop and has a saved state is yielded. If no page of a
        loop has a saved state, only the first page is yielded.

        Raises:
            SourceUnavailableError: a start page redirects in a loop.
        """
        loops: dict[frozenset[str], list[str]] = {}
        for url in self._redirects:
            loop = self._find_loop(url)
            if loop:
                loops.setdefault(loop, []).append(url)
        for urls in loops.values():
            start = next((url for url in urls if url in self._starts), None)
            if start is not None:
                raise SourceUnavailableError(f"the start page {start} redirects in a loop")
            known = [url for url in urls if self._redirects[url][1] is not None]
            for url in known or urls[:1]:
                if self._scope.contains(url):
                    saved = self._redirects[url][1]
                    yield fail_visit(url, saved, f"{url}: redirects in a loop")

    def _find_loop(self, url: str) -> frozenset[str]:
        """The pages of the loop into which a page redirects.

        The result is empty if there is no loop.
        """
        path: dict[str, int] = {}
        while url in self._redirects and url not in path:
            path[url] = len(path)
            url = self._redirects[url][0]
        first = path.get(url)
        return frozenset() if first is None else frozenset(list(path)[first:])

    def _require_response(self) -> None:
        if self._has_response or not self._faults:
            return
        more = len(self._faults) - MAX_NAMED_PAGES
        rest = f"; and {more} more" if more > 0 else ""
        raise SourceUnavailableError(
            f"none of {len(self._found)} pages could be read: "
            f"{'; '.join(self._faults[:MAX_NAMED_PAGES])}{rest}"
        )


class _Scope:
    """Decides whether the patterns of the settings match a page."""

    def __init__(self, settings: WebSettings) -> None:
        self._includes_all = settings.include == ALL_PAGES
        self._included = GitIgnoreSpec.from_lines(settings.include)
        self._excluded = GitIgnoreSpec.from_lines(settings.exclude)

    def contains(self, url: str) -> bool:
        path = read_path(url)
        is_included = self._includes_all or self._included.match_file(path)
        return is_included and not self._excluded.match_file(path)


def _list_orphan_copies(copies: list[tuple[Visit, str]], listed: set[str]) -> Iterator[Visit]:
    """Yield the copies whose canonical page is not listed.

    A copy is a page that names another page as its canonical page. Without this function, the text
    of such a copy would be lost.
    """
    for visit, canonical in copies:
        if canonical not in listed and visit.state is not None and visit.state.is_indexed:
            listed.add(visit.url)
            yield visit
