"""Pages that send their reader on by themselves: `<meta http-equiv="refresh">` and its header.

Static sites have no other way to redirect. Source: the HTML standard, "shared declarative refresh
steps". What becomes of the target is decided in `crawl`, as for a redirect of HTTP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import html

from ragline.sources.web.urls import normalise_url

# A page that is shown for longer is meant to be read.
LONGEST_DELAY_S = 30.0
# One that is left at once is read by nobody, whatever its text is.
AT_ONCE_S = 1.0
# More text than this is more than "you are being redirected".
LONGEST_STUB_CHARS = 600
_REFRESH = re.compile(
    r"\s*(?P<delay>\d*)(?:\.[\d.]*)?(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Refresh:
    """Where a page leads by itself, and after how long. `target` None is no web page."""

    delay_s: float
    target: str | None


def find_refresh(content: str, url: str, base: str | None = None) -> Refresh | None:
    """What a refresh says; None when it only loads the page at `url` once more, or is malformed.

    `base` is what its address is relative to, `url` itself unless the page says otherwise.
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    target = normalise_url(_unquote(found["rest"]), base or url)
    return None if target == url else Refresh(float(found["delay"] or 0), target)


def find_page_refresh(page: html.HtmlElement, url: str, base: str) -> Refresh | None:
    """The refresh that makes a page a mere pointer to another one; None for a page of its own.

    One without scripts, as we are, also follows what is in `noscript`; but a page with text of
    its own is a page, unless it is left at once.
    """
    for element in page.iter("meta"):
        if element.get("http-equiv", "").strip().lower() != "refresh":
            continue
        refresh = find_refresh(element.get("content") or "", url, base)
        if refresh is None or refresh.delay_s > LONGEST_DELAY_S:
            continue
        is_for_everybody = next(element.iterancestors("noscript"), None) is None
        if is_for_everybody and refresh.delay_s <= AT_ONCE_S:
            return refresh
        if _count_chars(page) <= LONGEST_STUB_CHARS:
            return refresh
    return None


def _unquote(rest: str) -> str:
    """The address; one in quotes ends with them."""
    if rest[0] in "'\"":
        return rest[1:].partition(rest[0])[0]
    return rest


def _count_chars(page: html.HtmlElement) -> int:
    """How much text a page shows."""
    body = page.find("body")
    texts = (
        [] if body is None else body.xpath(".//text()[not(ancestor::script or ancestor::style)]")
    )
    return len("".join("".join(texts).split()))
