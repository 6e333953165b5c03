"""URLs in the one form under which a page is known, requested, noted and shown.

Which of them a source takes is decided in `crawl`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from ragline.errors import SourceUnavailableError

DEFAULT_PORTS = {"http": 80, "https": 443}
# Only names that mean nothing but tracking: `source`, `ref` or `cid` tell pages apart elsewhere.
_TRACKING = re.compile(
    r"utm_\w+|gclid|dclid|gbraid|wbraid|fbclid|msclkid|yclid|igshid|mc_cid|mc_eid|_ga|_gl",
    re.IGNORECASE,
)


def origin_of(url: str) -> str:
    """`scheme://host[:port]` in lower case, the port only where it is not the scheme's own.

    Raises:
        ValueError: no http or https URL, or one with a user or password in it.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("a URL must not hold a user or password; put it under credentials")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port in {None, DEFAULT_PORTS[scheme]}
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{parts.port}"


def normalise_url(url: str, page: str | None = None) -> str | None:
    """A URL, or a link that stands on a page, in one form; None when it leads to no web page.

    Without fragment, tracking parameters and default port; the query in order of its names.
    """
    from w3lib.url import canonicalize_url  # of the extra `web`

    try:
        joined = urljoin(page, url.strip()) if page else url.strip()
        origin_of(joined)
        parts = urlsplit(joined)
        query = "&".join(
            part
            for part in parts.query.split("&")
            if not _TRACKING.fullmatch(part.partition("=")[0])
        )
        normalised = canonicalize_url(parts._replace(query=query, fragment="").geturl())
        return origin_of(normalised) + _behind_host(normalised)
    except (ValueError, UnicodeError):
        return None


def normalise_stated(url: str) -> str:
    """A URL of the settings, which are checked, in the same form."""
    normalised = normalise_url(url)
    if normalised is None:
        raise SourceUnavailableError(f"{url} cannot be requested; correct it in the settings")
    return normalised


def path_of(url: str) -> str:
    """The path as patterns see it: decoded, without the first slash and the query."""
    return unquote(urlsplit(url).path).removeprefix("/")


def _behind_host(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
