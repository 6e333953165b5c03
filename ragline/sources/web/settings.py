"""The settings of a source of kind `web`.

This module loads without the extra `web`, because processes that never crawl also read the
settings.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ragline.sources.settings import Duration, SourceSettings, VariableName
from ragline.sources.web.urls import read_origin

ALL_PAGES = ("**/*",)


class WebSettings(SourceSettings):
    """The settings of a source whose documents are the pages of one host.

    A host is a scheme, a name and a port. With `start` pages, the links of every page are followed.
    With `sitemaps` and no `start`, no links are followed. `include` and `exclude` are patterns in
    the syntax of `.gitignore`. They match the path of a URL without its first slash, and they
    decide which pages are requested. `start` pages are always requested.
    """

    kind: Literal["web"]
    start: tuple[str, ...] = Field(
        default=(),
        description="URLs of the pages at which the listing starts. Ragline follows the links of "
        "these pages and of all pages that it finds.",
    )
    sitemaps: tuple[str, ...] = Field(
        default=(),
        description="URLs of sitemaps. A sitemap is XML, an index of sitemaps, or text with one "
        "URL on each line. It can be compressed as `.gz`. If `start` is not set, Ragline follows "
        "no links.",
    )
    include: tuple[str, ...] = Field(
        default=ALL_PAGES,
        description="Patterns for the pages to request, in the syntax of `.gitignore`. Ragline "
        "compares them with the path of the URL without its first slash.",
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        description="Patterns for the pages to leave out, in the syntax of `.gitignore`. Ragline "
        "compares them with the path of the URL without its first slash.",
    )
    max_pages: int = Field(
        default=10_000,
        gt=0,
        description="Maximum number of pages. If the site has more pages, the listing fails.",
    )
    requests_per_second: float = Field(
        default=2.0,
        gt=0,
        le=1000,
        description="Maximum number of requests in a second. If `Crawl-delay` in robots.txt "
        "demands fewer requests, Ragline obeys it.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=30),
        description="Maximum time that Ragline waits until the server begins to answer. The whole "
        "answer may take ten times as long.",
    )
    attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description="Maximum number of attempts for a request. Before each new attempt, Ragline "
        "waits 1, 2, 4 … seconds, or as long as the header `Retry-After` says.",
    )
    user_agent: str = Field(
        default_factory=lambda: f"ragline/{version('ragline')}",
        pattern=r"^[\x21-\x7e][\x20-\x7e]*$",
        description="Value of the header `User-Agent`. Ragline obeys the rules of robots.txt for "
        "this name.",
    )

    @field_validator("credentials")
    @classmethod
    def _check_credentials(cls, credentials: dict[str, VariableName]) -> dict[str, VariableName]:
        unknown = sorted(set(credentials) - {"authorization"})
        if unknown:
            raise ValueError(
                f"unknown credential {unknown[0]!r}; allowed: authorization, the complete value of "
                "that header"
            )
        return credentials

    @model_validator(mode="after")
    def _check_entries(self) -> WebSettings:
        if not self.entries:
            raise ValueError("name a page under start or a sitemap under sitemaps")
        origins = sorted({read_origin(url) for url in self.entries})
        if len(origins) > 1:
            raise ValueError(
                f"start and sitemaps must be on one host; they are on {', '.join(origins)}"
            )
        return self

    @property
    def entries(self) -> tuple[str, ...]:
        """All URLs that the configuration names. The sitemaps come first."""
        return (*self.sitemaps, *self.start)

    @property
    def address(self) -> str:
        """The first URL that the configuration names."""
        return self.entries[0]
