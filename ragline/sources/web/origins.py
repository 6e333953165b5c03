"""The origin of a URL: scheme, host and port, which together are what "one host" means here.

The rest of what is done to URLs is `addresses`, which needs more than the standard library.
"""

from __future__ import annotations

from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


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
