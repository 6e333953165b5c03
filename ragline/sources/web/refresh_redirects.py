"""Redirects by a refresh: `<meta http-equiv="refresh">` and the header `Refresh`.

Static sites have no other way to redirect. Source: the HTML standard, "shared declarative refresh
steps". `crawl` handles the target like that of an HTTP redirect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import html

from ragline.sources.web.urls import normalise_url

# A page with a longer delay is meant to be read.
MAX_DELAY_S = 30.0
# A page with at most this delay is not read, whatever its text is.
IMMEDIATE_S = 1.0
# A page with more text contains more than "you are being redirected".
MAX_STUB_CHARS = 600
_REFRESH = re.compile(
    r"\s*(?P<delay>\d*)(?:\.[\d.]*)?(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Refresh:
    """The target of a refresh, and its delay. `target` is None when it is not a web page."""

    delay_s: float
    target: str | None


def find_refresh(content: str, url: str, base: str | None = None) -> Refresh | None:
    """Parse a refresh; None when it only reloads the page at `url`, or is malformed.

    `base` is the base URL of the page, `url` by default.
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    target = normalise_url(_unquote(found["rest"]), base or url)
    return None if target == url else Refresh(float(found["delay"] or 0), target)


def find_page_refresh(page: html.HtmlElement, url: str, base: str) -> Refresh | None:
    """The refresh of a page that only redirects; None for a page with its own text.

    A refresh in `noscript` counts too, because Ragline runs no scripts. A page with its own text is
    not a redirect, unless the refresh is immediate and outside `noscript`.
    """
    for element in page.iter("meta"):
        if element.get("http-equiv", "").strip().lower() != "refresh":
            continue
        refresh = find_refresh(element.get("content") or "", url, base)
        if refresh is None or refresh.delay_s > MAX_DELAY_S:
            continue
        is_unconditional = next(element.iterancestors("noscript"), None) is None
        if is_unconditional and refresh.delay_s <= IMMEDIATE_S:
            return refresh
        if _count_chars(page) <= MAX_STUB_CHARS:
            return refresh
    return None


def _unquote(rest: str) -> str:
    """The address without quotes."""
    if rest[0] in "'\"":
        return rest[1:].partition(rest[0])[0]
    return rest


def _count_chars(page: html.HtmlElement) -> int:
    """The number of visible characters of a page, without white space."""
    body = page.find("body")
    texts = (
        [] if body is None else body.xpath(".//text()[not(ancestor::script or ancestor::style)]")
    )
    return len("".join("".join(texts).split()))
