"""Filters: the truth table of the documentation, and random filters against an oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from ragline.errors import InvalidFilterError
from ragline.search.filters import compile_filter
from ragline.storage.database import Database

PAGE = Path(__file__).parents[2] / "docs" / "filters.md"
ROW = re.compile(r"^\| `(\{.*\})` \| `(\{.*\})` \| (yes|no) \|$", re.MULTILINE)
TABLE = [
    (json.loads(entry), json.loads(condition), holds == "yes")
    for entry, condition, holds in ROW.findall(PAGE.read_text(encoding="utf-8"))
]
ENTRY = """
select {condition}
from (
  select
    cast(:metadata as jsonb) as metadata, cast(:source as text) as source,
    cast(:document_id as text) as document_id, cast(:title as text) as title,
    cast(:heading_path as text[]) as heading_path, cast(:page as integer) as page,
    cast(:source_changed_at as timestamptz) as source_changed_at,
    cast(:indexed_at as timestamptz) as indexed_at,
    (select d.id from ragline.documents as d where d.document_id = :file_type) as document_key
) as e
"""
PLAIN: dict[str, Any] = {
    "metadata": {}, "source": "notes", "document_id": "a.md", "title": "Leave",
    "heading_path": ["Leave"], "page": 3, "source_changed_at": "2026-11-25T08:00:00+00:00",
    "indexed_at": "2026-11-25T08:00:00+00:00", "file_type": "md",
}  # fmt: skip

Holds = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A database with a document of each media type of the entries."""
    with database.begin() as connection:
        connection.execute(text("insert into ragline.collections (name) values ('c')"))
        connection.execute(
            text(
                "insert into ragline.sources (collection_id, name, kind, visible_within, "
                "forgotten_within) values (1, 's', 'files', '1 h', '1 h')"
            )
        )
        for file_type in ("md", ".own", "pdf"):
            connection.execute(
                text(
                    "with p as (insert into ragline.parses (fingerprint, parser_fingerprint, "
                    "file_type, text, elements) values (:t, '', :t, '', '[]') returning id) "
                    "insert into ragline.documents (source_id, document_id, state, version, "
                    "parse_id, noticed_at) select 1, :t, 'pending', '', id, now() from p"
                ),
                {"t": file_type},
            )
        yield connection


@pytest.fixture
def holds(connection: Connection) -> Holds:
    """Whether an entry satisfies a filter, evaluated by the database."""

    def ask(entry: Mapping[str, Any], filter_: Mapping[str, Any]) -> bool:
        condition = compile_filter(filter_)
        values = {**PLAIN, **entry}
        values["metadata"] = json.dumps(values["metadata"])
        statement = text(ENTRY.format(condition=condition.sql))
        answer = connection.execute(statement, {**values, **condition.values}).scalar_one()
        assert isinstance(answer, bool), "a filter is never unknown"
        return answer

    return ask


def test_truth_table_equals_the_documentation(holds: Holds) -> None:
    assert len(TABLE) > 60
    wrong = [row for row in TABLE if holds(row[0], row[1]) != row[2]]
    assert wrong == []


def test_every_field_and_operator_is_in_the_truth_table() -> None:
    used = json.dumps([condition for _, condition, _ in TABLE])
    words = ["source", "document_id", "media_type", "title", "heading", "page", "indexed_at"]
    words += ["source_changed_at", "and", "or", "not", "eq", "ne", "in", "nin", "gt", "gte"]
    words += ["lt", "lte", "prefix", "exists"]
    missing = [word for word in words if f'"{word}"' not in used]
    assert missing == ["eq", "lte"], "the plain value is `eq`; `lte` is as `gte`"


@pytest.mark.parametrize(
    ("filter_", "place"),
    [
        ({"metadata": {"year": 1}}, "filter.metadata"),
        ({"metadata.": 1}, "filter.metadata."),
        ({"metadata.a..b": 1}, "filter.metadata.a..b"),
        ({"nothing": 1}, "filter.nothing"),
        ({"page": {}}, "filter.page"),
        ({"page": {"like": 1}}, "filter.page.like"),
        ({"page": [1]}, "filter.page.eq"),
        ({"page": {"gt": True}}, "filter.page.gt"),
        ({"page": {"gt": None}}, "filter.page.gt"),
        ({"page": {"in": "abc"}}, "filter.page.in"),
        ({"page": {"in": [[1]]}}, "filter.page.in.0"),
        ({"page": {"exists": 1}}, "filter.page.exists"),
        ({"title": {"prefix": 1}}, "filter.title.prefix"),
        ({"title": "\0"}, "filter.title.eq"),
        ({"title": "\ud800"}, "filter.title.eq"),
        ({"metadata.a\0": 1}, "filter.metadata.a\0"),
        ({"title": "x" * 5_000}, "filter.title.eq"),
        ({"metadata.a": 10**200}, "filter.metadata.a.eq"),
        ({"metadata.a": float("inf")}, "filter.metadata.a.eq"),
        ({"indexed_at": "yesterday"}, "filter.indexed_at.eq"),
        ({"indexed_at": {"gt": "2026-11-25T08:00:00"}}, "filter.indexed_at.gt"),
        ({"indexed_at": {"prefix": "2026"}}, "filter.indexed_at.prefix"),
        ({"and": {"page": 1}}, "filter.and"),
        ({"or": [1]}, "filter.or.0"),
        ({"not": []}, "filter.not"),
        ({"page": {"in": list(range(1_001))}}, "filter.page.in"),
        ({"and": [{"page": n} for n in range(201)]}, "filter"),
    ],
)
def test_malformed_filter_is_refused_with_its_path(filter_: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidFilterError) as caught:
        compile_filter(filter_)
    assert caught.value.field == place


def test_deep_nesting_is_refused() -> None:
    filter_: dict[str, Any] = {"page": 1}
    for _ in range(11):
        filter_ = {"not": filter_}
    with pytest.raises(InvalidFilterError, match="nested deeper"):
        compile_filter(filter_)


def test_hostile_strings_are_values_and_never_sql(holds: Holds, naughty_strings: list[str]) -> None:
    for one in naughty_strings:
        entry = {"metadata": {"name": one}, "title": one, "heading_path": [one]}
        for field in ("metadata.name", "title", "heading"):
            assert holds(entry, {field: one}), one
            assert holds(entry, {field: {"in": [one]}}), one
            assert holds(entry, {field: {"prefix": one[:3]}}), one
            assert not holds(entry, {field: one + "x"}), one
        if one and "." not in one:
            assert holds({"metadata": {one: 1}}, {f"metadata.{one}": 1}), one


# Random filters, and an oracle that implements the rules of docs/filters.md literally.

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab", "b"])
ORDERED = st.integers(-3, 3) | st.sampled_from(["", "a", "ab", "b"])
TESTS = (
    st.tuples(st.sampled_from(["eq", "ne"]), SCALARS)
    | st.tuples(st.sampled_from(["in", "nin"]), st.lists(SCALARS, max_size=3))
    | st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), ORDERED)
    | st.tuples(st.just("prefix"), st.sampled_from(["", "a", "ab"]))
    | st.tuples(st.just("exists"), st.booleans())
)
FIELDS = st.sampled_from(["metadata.x", "metadata.y", "title", "heading", "page", "source"])
CONDITIONS = st.tuples(FIELDS, st.lists(TESTS, min_size=1, max_size=2).map(dict)).map(
    lambda pair: {pair[0]: pair[1]}
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: {"and": parts})
        | st.lists(inner, max_size=3).map(lambda parts: {"or": parts})
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {
        "metadata": st.dictionaries(
            st.sampled_from(["x", "y"]), SCALARS | st.lists(SCALARS, max_size=3)
        ),
        "title": st.none() | st.sampled_from(["", "a", "ab"]),
        "heading_path": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "page": st.none() | st.integers(-3, 3),
    }
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entry=ENTRIES, filter_=FILTERS)
def test_random_filters_follow_the_rules(
    holds: Holds, entry: dict[str, Any], filter_: dict[str, Any]
) -> None:
    assert holds(entry, filter_) == judge(entry, filter_)


def judge(entry: Mapping[str, Any], filter_: Mapping[str, Any]) -> bool:
    """Whether an entry satisfies a filter, by the documented rules."""
    return all(judge_member(entry, key, value) for key, value in filter_.items())


def judge_member(entry: Mapping[str, Any], key: str, value: Any) -> bool:
    if key == "and":
        return all(judge(entry, part) for part in value)
    if key == "or":
        return any(judge(entry, part) for part in value)
    if key == "not":
        return not judge(entry, value)
    held = look_up(entry, key)
    return all(judge_test(held, operator, wanted, key) for operator, wanted in value.items())


def look_up(entry: Mapping[str, Any], key: str) -> list[Any] | None:
    """The values of a field; None when the entry lacks the field."""
    if key.startswith("metadata."):
        metadata = entry["metadata"]
        name = key.removeprefix("metadata.")
        if name not in metadata:
            return None
        return metadata[name] if isinstance(metadata[name], list) else [metadata[name]]
    if key == "heading":
        return entry["heading_path"] or None
    value = {**PLAIN, **entry}[key]
    return None if value is None else [value]


def judge_test(held: list[Any] | None, operator: str, wanted: Any, key: str) -> bool:
    if operator == "exists":
        return (held is not None) == wanted
    if operator in ("ne", "nin"):
        return not judge_test(held, {"ne": "eq", "nin": "in"}[operator], wanted, key)
    return any(judge_value(value, operator, wanted) for value in held or [])


def judge_value(value: Any, operator: str, wanted: Any) -> bool:
    if operator == "in":
        return any(judge_value(value, "eq", one) for one in wanted)
    if kind(value) != kind(wanted):
        return False
    if operator == "prefix":
        return str(value).startswith(wanted)
    return {
        "eq": lambda: value == wanted,
        "gt": lambda: value > wanted,
        "gte": lambda: value >= wanted,
        "lt": lambda: value < wanted,
        "lte": lambda: value <= wanted,
    }[operator]()


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "null" if value is None else "string"


def test_times_are_compared_across_time_zones(holds: Holds) -> None:
    now = datetime(2026, 11, 25, 8, tzinfo=UTC)
    entry = {"indexed_at": now.isoformat()}
    assert holds(entry, {"indexed_at": {"in": ["2026-11-25T10:00:00+02:00"]}})
    assert not holds(entry, {"indexed_at": {"gt": "2026-11-25T10:00:00+02:00"}})
