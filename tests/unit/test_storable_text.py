"""Text that Postgres cannot store is replaced one character for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.storable_text import clean_text, clean_value

ANY_TEXT = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize("text", ["", "naïve 東京", "\U0001f600", "a\tb\n"])
def test_storable_text_is_unchanged(text: str) -> None:
    assert clean_text(text) == clean_value(text) == text


def test_null_character_becomes_a_replacement_character() -> None:
    assert clean_text("a\0b") == clean_value("a\0b") == "a\ufffdb"


def test_lone_surrogate_becomes_a_question_mark_in_a_value_only() -> None:
    assert (clean_text("a\ud800b"), clean_value("a\ud800b")) == ("a\ufffdb", "a?b")


@given(ANY_TEXT)
def test_cleaned_text_has_the_same_length_and_can_be_stored(text: str) -> None:
    for cleaned in (clean_text(text), clean_value(text)):
        assert len(cleaned) == len(text)
        assert "\0" not in cleaned
        cleaned.encode("utf-8")
