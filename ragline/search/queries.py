"""What can be searched for: a query that is more than white space and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragline.errors import InvalidSearchError

# Unicode's categories of punctuation and separators. Control characters are not among them: clients
# send odd strings, and were always answered.
MEANINGLESS = ("P", "Z")


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
    """Whether a query has a letter, a number, a symbol or anything else that is not skipped."""
    return any(
        not sign.isspace() and unicodedata.category(sign)[0] not in MEANINGLESS for sign in query
    )
