"""The states of pages, sitemaps and robots.txt that a listing saves for the next one.

With a saved state, the server sends the body of a page only if the page changed. The states are
stored in `ragline.sources.state`. If the state of a page is missing or has an unknown form, the
server sends the body in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ragline.sources.state import SourceState

ROBOTS_KEY = "robots"
# Increase this number if the code computes another `PageState` for the same page. All pages are
# then requested with their bodies.
STATE_VERSION = 2


class Validators(BaseModel):
    """The two headers of a response from which a conditional request is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """The validators in the headers of a response."""
        return Validators(etag=headers.get("etag"), last_modified=headers.get("last-modified"))

    def conditions(self) -> dict[str, str]:
        """Headers for a request. With them, the server sends a body only if the body changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value is not None}


class PageState(BaseModel):
    """The facts about a page that a listing needs if it does not receive the body.

    `links` contains all links to pages of the host. The patterns of the settings do not filter
    `links`, because the settings can change. `is_indexed` is false if the page forbids its
    indexing. `canonical` is the URL of the canonical page if that is another page. `reading` is the
    STATE_VERSION of the code that made the state.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    version: str
    size_bytes: int
    changed_at: datetime | None
    is_indexed: bool
    links: tuple[str, ...]
    canonical: str | None
    reading: int = 1

    def conditions(self) -> dict[str, str]:
        """Headers for a request. With them, the server sends a body only if the page changed.

        The headers are empty if the state was made with another STATE_VERSION.
        """
        return self.validators.conditions() if self.reading == STATE_VERSION else {}


class SitemapState(BaseModel):
    """The content of a sitemap: pages with their times of change, and further sitemaps.

    `faults` contains the addresses in the sitemap that are not URLs of web pages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    pages: dict[str, datetime | None]
    sitemaps: tuple[str, ...]
    faults: tuple[str, ...] = ()


class RobotsState(BaseModel):
    """The content of a robots.txt.

    `read_at` is the time of the request, in seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    text: str
    read_at: float


State = TypeVar("State", PageState, SitemapState, RobotsState)


class CrawlState:
    """The saved states of one source of kind `web`, by URL."""

    def __init__(self, state: SourceState) -> None:
        self._state = state

    def read_page(self, url: str) -> PageState | None:
        return self._read(page_key(url), PageState)

    def read_sitemap(self, url: str) -> SitemapState | None:
        return self._read(sitemap_key(url), SitemapState)

    def read_robots(self) -> RobotsState | None:
        return self._read(ROBOTS_KEY, RobotsState)

    def write(self, key: str, state: PageState | SitemapState | RobotsState) -> None:
        self._state.write(key, state.model_dump(mode="json"))

    def delete_others(self, keys: set[str]) -> None:
        """Delete the states of pages and sitemaps whose keys are not in `keys`."""
        self._state.delete_others({ROBOTS_KEY, *keys})

    def _read(self, key: str, form: type[State]) -> State | None:
        stored = self._state.read(key)
        try:
            return None if stored is None else form.model_validate(stored)
        except ValidationError:
            return None


def page_key(url: str) -> str:
    return f"page {url}"


def sitemap_key(url: str) -> str:
    return f"sitemap {url}"
