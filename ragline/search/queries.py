"""What can be searched for: a query that holds a word, a number or a symbol."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragline.errors import InvalidSearchError

# Unicode's categories of letters, the marks on them, numbers, and symbols such as = or an emoji.
MEANINGFUL = ("L", "M", "N", "S")


def refuse_empty(queries: Iterable[str]) -> None:
    """Refuse a question of which a wording holds nothing to look for.

    A model has a vector for an empty text too, so its nearest chunks would be answered as hits.

    Raises:
        InvalidSearchError: a wording is empty, or white space and punctuation only.
    """
    for query in queries:
        if not holds_something(query):
            raise InvalidSearchError(
                "query",
                "holds nothing to look for: it is empty, or only white space and punctuation; "
                "write at least one word or number",
            )


def holds_something(query: str) -> bool:
    """Whether a query has a letter, a number or a symbol."""
    return any(unicodedata.category(sign)[0] in MEANINGFUL for sign in query)
