"""What is remembered of a page, a sitemap and robots.txt, so that a 304 is all it costs.

Notes live in `ragline.sources.state`. One that is missing, or was written in another form, is
taken for none: the page is then requested without a condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ragline.sources.state import SourceState

ROBOTS_KEY = "robots"
# Raise it whenever the same page may be noted differently: it is then asked for in full.
READING = 2


class Validators(BaseModel):
    """The two headers by which a server knows what we have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        return Validators(etag=headers.get("etag"), last_modified=headers.get("last-modified"))

    def conditions(self) -> dict[str, str]:
        """The request headers that ask for a body only if it changed."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value is not None}


class PageNote(BaseModel):
    """What a listing has to know of a page whose body it does not get.

    `links` are all those that lead to pages of the host, whatever the patterns say: they may be
    other ones next time.
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
        """The request headers that ask for the page only if it is not as it was noted."""
        return self.validators.conditions() if self.reading == READING else {}


class SitemapNote(BaseModel):
    """What a sitemap names: pages with their time of change, and further sitemaps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    pages: dict[str, datetime | None]
    sitemaps: tuple[str, ...]
    faults: tuple[str, ...] = ()


class RobotsNote(BaseModel):
    """A robots.txt; `read_at` is in seconds since 1970."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    validators: Validators
    text: str
    read_at: float


Note = TypeVar("Note", PageNote, SitemapNote, RobotsNote)


class WebNotes:
    """The notes of one source of kind `web`, by URL."""

    def __init__(self, notes: SourceState) -> None:
        self._notes = notes

    def read_page(self, url: str) -> PageNote | None:
        return self._read(page_key(url), PageNote)

    def read_sitemap(self, url: str) -> SitemapNote | None:
        return self._read(sitemap_key(url), SitemapNote)

    def read_robots(self) -> RobotsNote | None:
        return self._read(ROBOTS_KEY, RobotsNote)

    def write(self, key: str, note: PageNote | SitemapNote | RobotsNote) -> None:
        self._notes.write(key, note.model_dump(mode="json"))

    def keep_only(self, keys: set[str]) -> None:
        """Forget the pages and sitemaps that are gone."""
        self._notes.keep_only({ROBOTS_KEY, *keys})

    def _read(self, key: str, form: type[Note]) -> Note | None:
        stored = self._notes.read(key)
        try:
            return None if stored is None else form.model_validate(stored)
        except ValidationError:
            return None


def page_key(url: str) -> str:
    return f"page {url}"


def sitemap_key(url: str) -> str:
    return f"sitemap {url}"
