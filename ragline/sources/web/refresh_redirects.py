"""Finds redirects by a refresh: `<meta http-equiv="refresh">` or the header `Refresh`.

Static sites have no other way to redirect. Source: the HTML standard, "shared declarative refresh
steps". `crawl` follows such a redirect like an HTTP redirect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import html

from ragline.sources.web.urls import normalise_url

# If the delay is longer, the page is meant to be read. It is not a redirect.
MAX_DELAY_S = 30.0
# A refresh with at most this delay is immediate. No person can read such a page, so it is a
# redirect, whatever its text is.
IMMEDIATE_S = 1.0
# A page with more text contains more than a notice such as "you are being redirected".
MAX_STUB_CHARS = 600
_REFRESH = re.compile(
    r"\s*(?P<delay>\d*)(?:\.[\d.]*)?(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Refresh:
    """The target of a refresh and its delay.

    `target` is None if the target is not a web page.
    """

    delay_s: float
    target: str | None


def find_refresh(content: str, url: str, base: str | None = None) -> Refresh | None:
    """Parse the value of a refresh, such as `5; url=/new`.

    The result is None if the value is malformed, or if it only reloads the page at `url`. `base` is
    the base URL of the page; without it, `url` is the base.
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    target = normalise_url(_unquote(found["rest"]), base or url)
    return None if target == url else Refresh(float(found["delay"] or 0), target)


def find_page_refresh(page: html.HtmlElement, url: str, base: str) -> Refresh | None:
    """The refresh of a page that is a redirect, or None for any other page.

    A page is a redirect if its refresh is immediate and outside `noscript`, or if the page has at
    most MAX_STUB_CHARS characters of text. A refresh with a delay of more than MAX_DELAY_S does not
    count. A refresh in `noscript` counts, because Ragline runs no scripts.
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
    """The address of a refresh without its quotes."""
    if rest[0] in "'\"":
        return rest[1:].partition(rest[0])[0]
    return rest


def _count_chars(page: html.HtmlElement) -> int:
    """The number of visible characters of a page. White space is not counted."""
    body = page.find("body")
    texts = (
        [] if body is None else body.xpath(".//text()[not(ancestor::script or ancestor::style)]")
    )
    return len("".join("".join(texts).split()))
