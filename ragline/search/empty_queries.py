"""Empty queries: queries that contain only white space and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragline.errors import InvalidSearchError

# Unicode's categories of punctuation and separators. Control characters are not included: queries
# of control characters were always answered, and clients may rely on that.
IGNORED_CATEGORIES = ("P", "Z")


def refuse_empty(queries: Iterable[str]) -> None:
    """Refuse a request with an empty query.

    The model computes a vector for an empty text too, so the search would return its nearest chunks
    as hits.

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
    """Whether a query has a letter, a digit, a symbol or any other character that counts."""
    return any(
        not character.isspace() and unicodedata.category(character)[0] not in IGNORED_CATEGORIES
        for character in query
    )
