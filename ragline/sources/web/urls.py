"""Normalised URLs: the one form in which a page is identified, requested and stored.

`crawl` decides which URLs belong to a source. This module loads without the extra `web`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from ragline.errors import SourceUnavailableError

DEFAULT_PORTS = {"http": 80, "https": 443}
# Names that always mean tracking. `source`, `ref` or `cid` distinguish pages on some sites.
_TRACKING = re.compile(
    r"utm_\w+|gclid|dclid|gbraid|wbraid|fbclid|msclkid|yclid|igshid|mc_cid|mc_eid|_ga|_gl",
    re.IGNORECASE,
)


def read_origin(url: str) -> str:
    """`scheme://host[:port]` in lower case, without the default port of the scheme.

    Raises:
        ValueError: it is not an http or https URL, or it contains a user or password.
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
    """Normalise a URL, or a link on a page; None when it is not the URL of a web page.

    The fragment, tracking parameters and the default port are removed. The parameters of the query
    are sorted by name.
    """
    from w3lib.url import canonicalize_url  # of the extra `web`

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
    """Normalise a URL of the settings."""
    normalised = normalise_url(url)
    if normalised is None:
        raise SourceUnavailableError(f"{url} cannot be requested; correct it in the settings")
    return normalised


def read_path(url: str) -> str:
    """The path that patterns match: decoded, without the first slash and the query."""
    return unquote(urlsplit(url).path).removeprefix("/")


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
