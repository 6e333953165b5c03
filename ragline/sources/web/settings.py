"""What the configuration says of a source of kind `web`, and what it may say.

Loads without the extra `web`: a configuration is read by processes that never crawl.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ragline.sources.settings import Duration, SourceSettings, Variable
from ragline.sources.web.urls import origin_of

ALL_PAGES = ("**/*",)


class WebSettings(SourceSettings):
    """Pages of one host (scheme, name and port): those of its sitemaps, or what links lead to.

    `start` pages are followed by their links, and so is every page then; with `sitemaps` alone no
    link is followed. Patterns are those of `.gitignore`, over the path of the URL without its
    first slash. They decide what is requested; `start` pages are requested in any case.
    """

    kind: Literal["web"]
    start: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    include: tuple[str, ...] = ALL_PAGES
    exclude: tuple[str, ...] = ()
    max_pages: int = Field(default=10_000, gt=0)
    requests_per_second: float = Field(default=2.0, gt=0, le=1000)
    timeout: Duration = timedelta(seconds=30)
    attempts: int = Field(default=4, ge=1, le=10)
    user_agent: str = Field(
        default_factory=lambda: f"ragline/{version('ragline')}",
        pattern=r"^[\x21-\x7e][\x20-\x7e]*$",
    )

    @field_validator("credentials")
    @classmethod
    def _check_credentials(cls, credentials: dict[str, Variable]) -> dict[str, Variable]:
        unknown = sorted(set(credentials) - {"authorization"})
        if unknown:
            raise ValueError(
                f"unknown credential {unknown[0]!r}; allowed: authorization, the whole value of "
                "that header"
            )
        return credentials

    @model_validator(mode="after")
    def _check_entries(self) -> WebSettings:
        if not self.entries:
            raise ValueError("name a page under start or a sitemap under sitemaps")
        origins = sorted({origin_of(url) for url in self.entries})
        if len(origins) > 1:
            raise ValueError(
                f"start and sitemaps must lie on one host; these are {', '.join(origins)}"
            )
        return self

    @property
    def entries(self) -> tuple[str, ...]:
        """Every URL that the configuration names, sitemaps first."""
        return (*self.sitemaps, *self.start)

    @property
    def address(self) -> str:
        """The first URL that the configuration names."""
        return self.entries[0]
