"""Reads the values that a probe compares: those of the sitemaps and of the start pages."""

from __future__ import annotations

from ragline.errors import SourceUnavailableError
from ragline.sources.web.crawl_state import PageState
from ragline.sources.web.robots import RobotsRules
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.site import Site
from ragline.sources.web.urls import normalise_configured

MAX_REDIRECTS = 5


def read_entries(settings: WebSettings, site: Site, rules: RobotsRules) -> list[object]:
    """Request each sitemap and each start page. Return the values to compare as JSON values.

    The value of a sitemap has its pages with their times of change. The value of a start page has
    its version and its links. An unchanged page has the same value if the server answers 304 and if
    the server sends the body again.

    Raises:
        SourceUnavailableError: a sitemap or a start page cannot be read.
    """
    entries: list[object] = []
    for url in settings.sitemaps:
        sitemap = site.read_sitemap(normalise_configured(url))
        entries.append(sitemap.model_dump(mode="json", exclude={"validators"}))
    for url in settings.start:
        page = _read_start(normalise_configured(url), site, rules)
        entries.append([page.version, page.links, page.is_indexed, page.canonical])
    return entries


def _read_start(url: str, site: Site, rules: RobotsRules) -> PageState:
    target = url
    for _ in range(MAX_REDIRECTS + 1):
        if not rules.allows(target):
            raise SourceUnavailableError(f"robots.txt forbids the start page {target}")
        visit = site.visit(target)
        if visit.state is not None:
            return visit.state
        if visit.target is None:
            raise SourceUnavailableError(f"the start page {target} does not exist: {visit.absence}")
        target = visit.target
    raise SourceUnavailableError(f"the start page {url}: more than {MAX_REDIRECTS} redirects")
