"""Links that a document may have on the page: to http, https and mailto, and to nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

from markupsafe import Markup

_SCHEMES = frozenset(["http", "https", "mailto"])
MAX_LINK_CHARS = 2_000


def is_safe_link(address: str) -> bool:
    """Whether a link may lead there. Addresses without a scheme are relative to the document."""
    if len(address) > MAX_LINK_CHARS or not address.isprintable():
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_named = bool(parts.netloc) if parts.scheme != "mailto" else bool(parts.path)
    return parts.scheme in _SCHEMES and is_named


def write_link(address: str) -> Markup:
    """The opening tag of a link; one without an address where it may not lead there.

    The other host learns nothing of this page, and gets no hold of its window.
    """
    if not is_safe_link(address):
        return Markup("<a>")
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" class="outside">').format(
        address
    )
