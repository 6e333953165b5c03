"""Empty queries: queries that contain only white space and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragline.errors import InvalidSearchError

# The Unicode categories of punctuation and separators. Control characters are not included: earlier
# releases answered queries of control characters, and clients can depend on this.
IGNORED_CATEGORIES = ("P", "Z")


def refuse_empty(queries: Iterable[str]) -> None:
    """Refuse a request with an empty query.

    The model computes a vector for an empty text too. So the search would return the nearest chunks
    of this vector as hits.

    Raises:
        InvalidSearchError: a query is empty, or contains only white space and punctuation.
    """
    for query in queries:
        if not has_content(query):
            raise InvalidSearchError(
                "query",
                "contains nothing to search for: it is empty, or only white space and punctuation; "
                "write at least one word or number",
            )


def has_content(query: str) -> bool:
    """Return whether a query has a character that is not white space or punctuation."""
    return any(
        not character.isspace() and unicodedata.category(character)[0] not in IGNORED_CATEGORIES
        for character in query
    )
