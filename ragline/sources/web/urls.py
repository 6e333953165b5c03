"""Normalises URLs, so that each page has one URL.

A page is identified, requested and stored under its normalised URL. `crawl` decides which URLs
belong to a source. This module loads without the extra `web`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from ragline.errors import SourceUnavailableError

DEFAULT_PORTS = {"http": 80, "https": 443}
# Names of query parameters that always mean tracking. Names such as `source`, `ref` and `cid` are
# not in the list, because they distinguish pages on some sites.
_TRACKING = re.compile(
    r"utm_\w+|gclid|dclid|gbraid|wbraid|fbclid|msclkid|yclid|igshid|mc_cid|mc_eid|_ga|_gl",
    re.IGNORECASE,
)


def read_origin(url: str) -> str:
    """The origin of a URL: `scheme://host[:port]` in lower case.

    The default port of the scheme is left out.

    Raises:
        ValueError: the URL is not an http or https URL, or it contains a user or password.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// URL")
    if "@" in parts.netloc:
        raise ValueError("a URL must not contain a user or password; write it under credentials")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port in {None, DEFAULT_PORTS[scheme]}
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{parts.port}"


def normalise_url(url: str, page: str | None = None) -> str | None:
    """Normalise a URL. The result is None if it is not the URL of a web page.

    With `page`, the URL can be a link relative to the page at that URL. The fragment, tracking
    parameters and the default port are removed. The parameters of the query are sorted by name.
    """
    from w3lib.url import canonicalize_url  # a package of the extra `web`

    try:
        joined = urljoin(page, url.strip()) if page else url.strip()
        read_origin(joined)
        parts = urlsplit(joined)
        query = "&".join(
            part
            for part in parts.query.split("&")
            if not _TRACKING.fullmatch(part.partition("=")[0])
        )
        normalised = canonicalize_url(parts._replace(query=query, fragment="").geturl())
        return read_origin(normalised) + _path_and_query(normalised)
    except (ValueError, UnicodeError):
        return None


def normalise_configured(url: str) -> str:
    """Normalise a URL of the settings.

    Raises:
        SourceUnavailableError: the URL is not that of a web page.
    """
    normalised = normalise_url(url)
    if normalised is None:
        raise SourceUnavailableError(f"{url} cannot be requested; correct it in the settings")
    return normalised


def read_path(url: str) -> str:
    """The part of a URL that patterns match: its path, decoded and without the first slash."""
    return unquote(urlsplit(url).path).removeprefix("/")


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
