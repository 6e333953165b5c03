"""The saved state of pages, sitemaps and robots.txt, so that unchanged ones are not sent again.

It is stored in `ragline.sources.state`. A page whose state is missing or has an unknown form is
requested without a condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ragline.sources.state import SourceState

ROBOTS_KEY = "robots"
# Raise it when the same page would get another `PageState`: pages are then requested in full.
STATE_VERSION = 2


class Validators(BaseModel):
    """The two response headers for a conditional request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """The validators in the headers of a response."""
        return Validators(etag=headers.get("etag"), last_modified=headers.get("last-modified"))

    def conditions(self) -> dict[str, str]:
        """Request headers that ask for the body only if it changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value is not None}


class PageState(BaseModel):
    """What a listing needs to know about a page whose body it does not receive.

    `links` contains all links to pages of the host. It is not filtered by the patterns, because the
    configuration may change them.
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
        """Request headers that ask for the body only if the page differs from this state."""
        return self.validators.conditions() if self.reading == STATE_VERSION else {}


class SitemapState(BaseModel):
    """The content of a sitemap: pages with their time of change, and further sitemaps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    pages: dict[str, datetime | None]
    sitemaps: tuple[str, ...]
    faults: tuple[str, ...] = ()


class RobotsState(BaseModel):
    """A robots.txt; `read_at` is in seconds since 1970."""

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
        """Delete the states of pages and sitemaps with other keys."""
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
