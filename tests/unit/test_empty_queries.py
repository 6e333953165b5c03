"""A query must contain a word, a number or a symbol."""

from __future__ import annotations

import pytest

from ragline.errors import InvalidSearchError
from ragline.search.empty_queries import refuse_empty


@pytest.mark.parametrize("query", ["", " ", "\t\n\u2003", "?!", "...", "---", "«»"])
def test_query_without_a_word_is_refused(query: str) -> None:
    with pytest.raises(InvalidSearchError, match="query: contains nothing to search for"):
        refuse_empty(["ferry", query])


@pytest.mark.parametrize("query", ["a", "7", "ß", "船", "the of and", ":=", "€", "🚢", "C++", "é"])
def test_query_with_a_word_a_number_or_a_symbol_is_accepted(query: str) -> None:
    refuse_empty([query])
