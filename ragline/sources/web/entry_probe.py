"""What a probe compares: the state of the sitemaps and start pages, one request each."""

from __future__ import annotations

from ragline.errors import SourceUnavailableError
from ragline.sources.web.crawl_state import PageNote
from ragline.sources.web.robots import RobotsRules
from ragline.sources.web.settings import WebSettings
from ragline.sources.web.site import Site
from ragline.sources.web.urls import normalise_stated

MAX_REDIRECTS = 5


def read_entry_states(settings: WebSettings, site: Site, rules: RobotsRules) -> list[object]:
    """JSON values: what sitemaps name and when it changed; texts and links of start pages.

    The same whether a server says "unchanged" or sends the same once more.

    Raises:
        SourceUnavailableError: one of them cannot be had.
    """
    states: list[object] = []
    for url in settings.sitemaps:
        sitemap = site.read_sitemap(normalise_stated(url))
        states.append(sitemap.model_dump(mode="json", exclude={"validators"}))
    for url in settings.start:
        page = _read_start(normalise_stated(url), site, rules)
        states.append([page.version, page.links, page.is_indexed, page.canonical])
    return states


def _read_start(url: str, site: Site, rules: RobotsRules) -> PageNote:
    target = url
    for _ in range(MAX_REDIRECTS + 1):
        if not rules.allows(target):
            raise SourceUnavailableError(f"robots.txt forbids the start page {target}")
        visit = site.visit(target)
        if visit.note is not None:
            return visit.note
        if visit.target is None:
            raise SourceUnavailableError(f"the start page {target} is not there: {visit.lack}")
        target = visit.target
    raise SourceUnavailableError(f"the start page {url}: more than {MAX_REDIRECTS} redirects")
