"""OpenAI's filters are translated to Ragline's filters, and malformed ones are refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from ragline.search.filters import compile_filter
from retrieval_api.messages.openai_filters import Filter, map_field, translate_filter

FILTERS: TypeAdapter[object] = TypeAdapter(Filter)


def translate(asked):
    return translate_filter(FILTERS.validate_python(asked))


@pytest.mark.parametrize("type_", ["eq", "ne", "gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("value", ["a", 3, 2.5])
def test_comparison_keeps_operator_and_value(type_, value):
    asked = {"type": type_, "key": "year", "value": value}
    assert translate(asked) == {"metadata.year": {type_: value}}


@pytest.mark.parametrize("type_", ["in", "nin"])
def test_list_is_kept_in_its_order(type_):
    asked = {"type": type_, "key": "topic", "value": ["b", "a", 3]}
    assert translate(asked) == {"metadata.topic": {type_: ["b", "a", 3]}}


def test_booleans_and_numbers_stay_different():
    assert translate({"type": "eq", "key": "k", "value": True}) == {"metadata.k": {"eq": True}}
    (condition,) = translate({"type": "eq", "key": "k", "value": 1}).values()
    assert condition["eq"] is not True


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("source", "source"),
        ("document_id", "document_id"),
        ("source_changed_at", "source_changed_at"),
        ("year", "metadata.year"),
        ("metadata.year", "metadata.year"),
        ("generation", "metadata.generation"),
    ],
)
def test_key_is_a_metadata_key_unless_it_is_a_field_of_documents(key, field):
    assert map_field(key) == field


def test_compounds_nest():
    year = {"type": "gte", "key": "year", "value": 2020}
    topics = {"type": "in", "key": "topic", "value": ["a"]}
    source = {"type": "eq", "key": "source", "value": "s"}
    asked = {"type": "and", "filters": [year, {"type": "or", "filters": [topics, source]}]}
    assert translate(asked) == {
        "and": [
            {"metadata.year": {"gte": 2020}},
            {"or": [{"metadata.topic": {"in": ["a"]}}, {"source": {"eq": "s"}}]},
        ]
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "eq", "key": "year", "value": [1]},
        {"type": "in", "key": "year", "value": 1},
        {"type": "gt", "key": "year", "value": True},
        {"type": "eq", "key": "year", "value": None},
        {"type": "eq", "key": "year", "value": {"a": 1}},
        {"type": "eq", "key": "year", "value": float("nan")},
        {"type": "eq", "key": "", "value": 1},
        {"type": "eq", "key": "a\0", "value": 1},
        {"type": "like", "key": "year", "value": "x"},
        {"type": "eq", "key": "year"},
        {"type": "eq", "key": "year", "value": 1, "more": 2},
        {"type": "and", "filters": []},
        {"type": "not", "filters": [{"type": "eq", "key": "a", "value": 1}]},
        {},
        [],
    ],
)
def test_bad_filter_is_refused(asked):
    with pytest.raises(ValidationError):
        FILTERS.validate_python(asked)


def test_deeply_nested_filter_is_refused():
    asked = {"type": "eq", "key": "a", "value": 1}
    for _ in range(5_000):
        asked = {"type": "and", "filters": [asked]}
    with pytest.raises(ValidationError):
        FILTERS.validate_python(asked)


def test_translated_filter_is_accepted_by_a_search():
    parts = [
        {"type": type_, "key": key, "value": value}
        for key, value in [("year", 3), ("source", "s"), ("page", 2), ("title", "t")]
        for type_ in ("eq", "ne")
    ]
    parts += [
        {"type": type_, "key": key, "value": value}
        for key, value in [("year", 2.5), ("page", 2), ("indexed_at", "2026-01-01T00:00:00Z")]
        for type_ in ("gt", "gte", "lt", "lte")
    ]
    parts += [
        {"type": type_, "key": key, "value": ["a", "b"]}
        for key in ("topic", "document_id", "media_type", "heading")
        for type_ in ("in", "nin")
    ]
    asked = {"type": "or", "filters": [{"type": "and", "filters": parts}]}
    assert compile_filter(translate(asked)).values
