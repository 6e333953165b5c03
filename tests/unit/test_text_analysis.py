"""The text analysis: what it does not change, and the spans of its forms."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.text_analysis import RAW, analyze_text, trace_text

LANGUAGES = st.sampled_from(["english", "german", "french", "simple", "pg_catalog.german"])
TEXTS = st.text() | st.text(alphabet="aeüé̈ß'’-‑./_@\u200b­ A1東京ёع\u0301\u1100\u1161")


@given(TEXTS, LANGUAGES)
def test_traced_text_is_the_analysed_text_with_its_spans(text: str, language: str):
    analysed, traced = analyze_text(text, language), trace_text(text, language)
    assert traced.text == " ".join([analysed.main, *([analysed.added] if analysed.added else [])])
    assert len(traced.starts) == len(traced.ends) == len(traced.text)
    for start, end in zip(traced.starts, traced.ends, strict=True):
        assert 0 <= start < end <= len(text)


@given(TEXTS, LANGUAGES)
def test_composed_and_decomposed_texts_have_equal_analyses(text: str, language: str):
    composed = analyze_text(unicodedata.normalize("NFC", text), language)
    assert analyze_text(unicodedata.normalize("NFD", text), language) == composed


@given(st.lists(st.from_regex(r"[A-Za-z]?[a-z]+[.,;:!?]?", fullmatch=True)))
def test_plain_words_are_not_changed(words: list[str]):
    text = " ".join(words)
    assert analyze_text(text, "english").main == text
    assert analyze_text(text, "english").added == ""


@given(st.text())
def test_older_generations_get_the_raw_text(text: str):
    analysed = analyze_text(text, "english", RAW)
    assert (analysed.main, analysed.added) == (text.replace("\0", " "), "")


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("ERR-4021", "err 4021 err4021"),
        ("ERR4021", "err4021 err 4021"),
        ("HTTPRequest", "httprequest http request"),
        ("3.11.7", "11 3.11 3.11.7"),
        ("-5", ""),
        ("café", "café cafe"),
        ("Müller", "müller muller mueller"),
        ("Straße", "straße strasse"),
        ("O'Brien's", "brien obrien"),
        ("don't", "don"),
        ("東京都", "東京都 東京 京都"),
        # A hash is one word, not twenty.
        ("a3f9c2d1e8b7", "a3f9c2d1e8b7"),
    ],
)
def test_forms_of_a_word(text: str, forms: str):
    assert analyze_text(text, "english").added == forms


def test_french_elision_is_not_part_of_the_word():
    assert "léclusier" not in analyze_text("l’éclusier", "french").added.split()
    assert "obrien" in analyze_text("O’Brien", "french").added.split()
