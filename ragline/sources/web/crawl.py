"""One walk over the pages of a host that settings and robots.txt take, each visited once.

The end of the walk proves that there are no others. What one page is comes from `site`; what
becomes of the pages is decided in `source`.
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
    PageNote,
    SitemapNote,
    WebNotes,
    page_key,
    sitemap_key,
)
from ragline.sources.web.http_client import PageFailedError
from ragline.sources.web.media_types import may_be_document
from ragline.sources.web.robots import RobotsRules
from ragline.sources.web.settings import ALL_PAGES, WebSettings
from ragline.sources.web.site import Site, Visit, fail_visit
from ragline.sources.web.urls import normalise_stated, path_of

logger = logging.getLogger(__name__)

# More than these are counted and not named.
NAMED_PAGES = 5


class Crawl:
    """The walk of one listing. `changed_at` has what sitemaps say of the pages, by URL."""

    def __init__(
        self, settings: WebSettings, site: Site, rules: RobotsRules, notes: WebNotes
    ) -> None:
        self._settings = settings
        self._site = site
        self._rules = rules
        self._notes = notes
        self._scope = _Scope(settings)
        self.changed_at: dict[str, datetime | None] = {}
        self._seen: set[str] = set()
        self._found: set[str] = set()
        self._waiting: deque[str] = deque()
        self._starts: set[str] = set()
        # Where pages lead on, and what was noted of them when they did not yet.
        self._redirects: dict[str, tuple[str, PageNote | None]] = {}
        self._noted: set[str] = set()
        self._faults: list[str] = []
        self._sitemap_faults: list[tuple[str, str]] = []
        self._has_answer = False

    def list_pages(self) -> Iterator[Visit]:
        """Yield each page that is to be listed, once; those with an original elsewhere last.

        A page that cannot be had is yielded too, and fails by itself.

        Raises:
            SourceUnavailableError: a start page, a sitemap or every page could not be had, or
                there are more pages than `max_pages`. Nothing that was not yielded is gone then.
        """
        for url in self._settings.start:
            self._find_start(normalise_stated(url))
        self._read_sitemaps()
        listed: set[str] = set()
        copies: list[tuple[Visit, str]] = []
        for visit, note in chain(self._visit_all(), self._visit_circles()):
            if note.canonical is not None:
                copies.append((visit, note.canonical))
            elif note.is_indexed:
                listed.add(visit.url)
                yield visit
        yield from _without_original(copies, listed)
        for sitemap, location in self._sitemap_faults:
            reason = f"the sitemap {sitemap} names {location!r}, which is no web page"
            yield fail_visit(f"{sitemap}#{location}", None, reason)
        self._require_an_answer()
        self._notes.keep_only(self._noted)

    def _visit_all(self) -> Iterator[tuple[Visit, PageNote]]:
        """Yield the pages that patterns take, and follow what they lead to."""
        while self._waiting:
            visit = self._visit(self._waiting.popleft())
            if visit.note is None:
                continue
            is_new = visit.document is not None and not visit.is_failing
            self._note(page_key(visit.url), visit.note, is_new=is_new)
            if visit.note.canonical is not None:
                self._find([visit.note.canonical])
            if self._settings.start:
                self._find(visit.note.links)
            if self._scope.takes(visit.url):
                yield visit, visit.note

    def _visit(self, url: str) -> Visit:
        """Ask for a page; one that has no answer is a visit that failed."""
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
            self._redirects[url] = (visit.target, visit.noted)
            self._find_target(url, visit.target)
        elif visit.lack is not None:
            return self._miss(visit, visit.lack)
        self._has_answer = True
        return visit

    def _fail(self, url: str, reason: str) -> Visit:
        if url in self._starts:
            raise SourceUnavailableError(f"the start page cannot be had: {reason}")
        self._faults.append(reason)
        return fail_visit(url, self._notes.read_page(url), reason)

    def _miss(self, visit: Visit, lack: str) -> Visit:
        if visit.url in self._starts:
            raise SourceUnavailableError(f"the start page {visit.url} is not there: {lack}")
        # What was readable and is refused now may be back tomorrow.
        if visit.noted is not None and not visit.is_gone:
            return self._fail(visit.url, f"{visit.url}: {lack}")
        logger.info("%s: not listed: %s: %s", self._settings.name, visit.url, lack)
        self._has_answer |= visit.is_gone
        return visit

    def _find_start(self, url: str) -> None:
        if not self._rules.allows(url):
            raise SourceUnavailableError(f"robots.txt forbids the start page {url}")
        self._starts.add(url)
        self._add(url)

    def _find_target(self, url: str, target: str) -> None:
        if url in self._starts and target not in self._found:
            self._find_start(target)
        else:
            self._find([target])

    def _find(self, urls: Iterable[str]) -> None:
        for url in urls:
            if url in self._seen:
                continue
            self._seen.add(url)
            if self._scope.takes(url) and may_be_document(url):
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
        """Find the pages of every sitemap, and of those that an index names."""
        waiting = deque(normalise_stated(url) for url in self._settings.sitemaps)
        known = set(waiting)
        while waiting:
            url = waiting.popleft()
            sitemap = self._site.read_sitemap(url)
            self._note(sitemap_key(url), sitemap, is_new=True)
            self._take_pages(url, sitemap)
            self._sitemap_faults += [(url, location) for location in sitemap.faults]
            further = [nested for nested in sitemap.sitemaps if nested not in known]
            self._check_nested(url, further, len(known))
            known.update(further)
            waiting.extend(further)

    def _take_pages(self, url: str, sitemap: SitemapNote) -> None:
        own = {page: moment for page, moment in sitemap.pages.items() if self._is_own(page)}
        if sitemap.pages and not own:
            raise SourceUnavailableError(
                f"the sitemap {url} names {len(sitemap.pages)} pages and none of them on "
                f"{self._site.origin}; name the host of the pages in the settings"
            )
        self.changed_at |= own
        self._find(own)

    def _check_nested(self, url: str, nested: list[str], known: int) -> None:
        foreign = [one for one in nested if not self._is_own(one)]
        if foreign:
            raise SourceUnavailableError(
                f"the sitemap {url} leads to {foreign[0]}, which is not on this host; name the "
                "sitemaps of this host under sitemaps"
            )
        if known + len(nested) > self._settings.max_pages:
            raise SourceUnavailableError(
                f"there are more than {self._settings.max_pages} sitemaps; raise max_pages"
            )

    def _is_own(self, url: str) -> bool:
        return url.startswith(f"{self._site.origin}/")

    def _note(self, key: str, note: PageNote | SitemapNote, *, is_new: bool) -> None:
        self._noted.add(key)
        if is_new:
            self._notes.write(key, note)

    def _visit_circles(self) -> Iterator[tuple[Visit, PageNote]]:
        """Yield what redirects in a circle, and the pages that are found behind it.

        Raises:
            SourceUnavailableError: a start page does.
        """
        named: set[str] = set()
        while fresh := [visit for visit in self._list_circles() if visit.url not in named]:
            for visit in fresh:
                named.add(visit.url)
                if visit.note is not None:
                    self._noted.add(page_key(visit.url))
                    self._find(visit.note.links if self._settings.start else ())
                    yield visit, visit.note
            yield from self._visit_all()

    def _list_circles(self) -> Iterator[Visit]:
        """Yield the pages that redirect in a circle: those that were read before, else one.

        Raises:
            SourceUnavailableError: a start page does.
        """
        circles: dict[frozenset[str], list[str]] = {}
        for url in self._redirects:
            circle = self._find_circle(url)
            if circle:
                circles.setdefault(circle, []).append(url)
        for urls in circles.values():
            start = next((url for url in urls if url in self._starts), None)
            if start is not None:
                raise SourceUnavailableError(f"the start page {start} redirects in a circle")
            known = [url for url in urls if self._redirects[url][1] is not None]
            for url in known or urls[:1]:
                if self._scope.takes(url):
                    noted = self._redirects[url][1]
                    yield fail_visit(url, noted, f"{url}: redirects in a circle")

    def _find_circle(self, url: str) -> frozenset[str]:
        """The pages of the circle that a page's redirects end in; none where they end."""
        passed: dict[str, int] = {}
        while url in self._redirects and url not in passed:
            passed[url] = len(passed)
            url = self._redirects[url][0]
        first = passed.get(url)
        return frozenset() if first is None else frozenset(list(passed)[first:])

    def _require_an_answer(self) -> None:
        if self._has_answer or not self._faults:
            return
        more = len(self._faults) - NAMED_PAGES
        rest = f"; and {more} more" if more > 0 else ""
        raise SourceUnavailableError(
            f"none of {len(self._found)} pages could be had: "
            f"{'; '.join(self._faults[:NAMED_PAGES])}{rest}"
        )


class _Scope:
    """Which pages the patterns take."""

    def __init__(self, settings: WebSettings) -> None:
        self._takes_all = settings.include == ALL_PAGES
        self._included = GitIgnoreSpec.from_lines(settings.include)
        self._excluded = GitIgnoreSpec.from_lines(settings.exclude)

    def takes(self, url: str) -> bool:
        path = path_of(url)
        is_included = self._takes_all or self._included.match_file(path)
        return is_included and not self._excluded.match_file(path)


def _without_original(copies: list[tuple[Visit, str]], listed: set[str]) -> Iterator[Visit]:
    """Yield the copies whose original is not listed: the text would be lost."""
    for visit, original in copies:
        if original not in listed and visit.note is not None and visit.note.is_indexed:
            listed.add(visit.url)
            yield visit
