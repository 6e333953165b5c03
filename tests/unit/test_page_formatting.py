"""Values as text on the page."""

from __future__ import annotations

from typing import Any

import pytest

from ragline.counts import count
from retrieval_api.page.formatting import format_age
from retrieval_api.page.forms import SearchForm, read_period_days
from retrieval_api.page.session import is_local_path


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "never"), (0.2, "under a second"), (1, "1 second"), (61, "1 minute"),
        (7_300, "2 hours"), (200_000, "2 days"),
    ],
)  # fmt: skip
def test_age_is_in_its_largest_unit(seconds: float | None, said: str) -> None:
    assert format_age(seconds) == said


def test_counts_have_a_noun() -> None:
    assert count(1, "hit") == "1 hit"
    assert count(1024, "hit") == "1,024 hits"
    assert count(0, "entry", "entries") == "0 entries"


def test_url_of_a_form_repeats_the_search() -> None:
    given: dict[str, Any] = {"q": "ä & b", "mode": "keyword", "top_k": "10", "other": "x"}
    form = SearchForm.read(given, "first")
    assert form.query_string() == "collection=first&q=%C3%A4+%26+b&mode=keyword"


@pytest.mark.parametrize(("text", "days"), [("7", 7), ("30", 30), ("99", 7), (None, 7)])
def test_period_is_one_of_those_offered(text: str | None, days: int) -> None:
    assert read_period_days(text) == days


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        ("/", True), ("/?q=a", True), ("", False), ("//a.example", False), ("/\\a.example", False),
        ("https://a.example", False), ("a", False), ("/\t/a.example", False),
    ],
)  # fmt: skip
def test_only_paths_of_this_host_are_accepted(path: str, is_own: bool) -> None:
    assert is_local_path(path) is is_own
