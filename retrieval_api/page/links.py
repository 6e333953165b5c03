"""Decides which links of a document the page shows. Only http, https and mailto are allowed."""

from __future__ import annotations

from urllib.parse import urlsplit

from markupsafe import Markup

_SCHEMES = frozenset(["http", "https", "mailto"])
MAX_LINK_CHARS = 2_000


def is_safe_link(address: str) -> bool:
    """Whether the page may link to an address. An address without a scheme is not allowed."""
    if len(address) > MAX_LINK_CHARS or not address.isprintable():
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_named = bool(parts.netloc) if parts.scheme != "mailto" else bool(parts.path)
    return parts.scheme in _SCHEMES and is_named


def write_link(address: str) -> Markup:
    """Return the opening tag of a link. An address that is not allowed is left out.

    The host of the link receives no referrer and cannot access the page's window.
    """
    if not is_safe_link(address):
        return Markup("<a>")
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" class="outside">').format(
        address
    )
