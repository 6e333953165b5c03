"""Filters: which entries a search may answer with, as JSON and as a condition in SQL.

A filter is an object of conditions that must all hold. `and` and `or` take lists of filters,
`not` takes one; every other key is a field, with a value to equal or an object of operators.

    {"source": "handbook", "metadata.year": {"gte": 2024}, "not": {"heading": {"prefix": "App"}}}

The semantics are docs/filters.md, whose truth table is a test. Two-valued: a condition on what
an entry lacks is false, and `not` (so `ne` and `nin` too) is its plain opposite. Where a field
holds a list, one element that satisfies the condition is enough. Values of different types are
never equal and never in order.
"""

from __future__ import annotations

import json
import math
import operator as operator_module
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from ragline.errors import InvalidFilterError
from ragline.parsing.formats import MEDIA_TYPES, UNKNOWN

Json = Mapping[str, Any]

METADATA = "metadata."
DEEPEST = 10
MOST_CONDITIONS = 200
MOST_VALUES = 1_000
LONGEST_VALUE_CHARS = 4_096
# What each operator is in jsonpath, which compares as docs/filters.md says; in SQL alike.
COMPARISONS = {"eq": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_SIGNS = COMPARISONS | {"eq": "="}
NEGATIONS = {"ne": "eq", "nin": "in"}
ORDERED = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "prefix", "exists")


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter as SQL over an entry `e`, and the values of its placeholders."""

    sql: str
    values: Mapping[str, object]


@dataclass
class _Writer:
    """Collects values under names of their own while a condition is written."""

    values: dict[str, object] = field(default_factory=dict)
    conditions: int = 0

    def bind(self, value: object, sql_type: str) -> str:
        name = f"filter_{len(self.values)}"
        self.values[name] = value
        return f"cast(:{name} as {sql_type})"


def compile_filter(filter_: Json) -> Condition:
    """The condition of a filter. Nothing of the filter itself stands in the SQL.

    Raises:
        InvalidFilterError: it is none; the message names the place, such as `and.1.page`.
    """
    writer = _Writer()
    return Condition(_write_filter(filter_, "filter", writer, 0), writer.values)


def split_filter(filter_: Json, place: str = "filter") -> list[tuple[str, Json]]:
    """The conditions of a filter that must all hold, each as a filter with its place."""
    parts: list[tuple[str, Json]] = []
    for key, value in filter_.items():
        here = f"{place}.{key}"
        if key == "and":
            for index, part in enumerate(value):
                parts += split_filter(part, f"{here}.{index}")
        elif key not in ("or", "not") and isinstance(value, Mapping):
            parts += [(f"{here}.{name}", {key: {name: test}}) for name, test in value.items()]
        else:
            parts.append((here, {key: value}))
    return parts


def _write_filter(filter_: object, place: str, writer: _Writer, depth: int) -> str:
    if depth > DEEPEST:
        raise InvalidFilterError(place, f"is nested deeper than {DEEPEST}")
    if not isinstance(filter_, Mapping):
        raise InvalidFilterError(place, "must be an object of conditions")
    parts = [
        _write_member(key, value, f"{place}.{key}", writer, depth) for key, value in filter_.items()
    ]
    return _join(parts, "and", "true")


def _write_member(key: str, value: object, place: str, writer: _Writer, depth: int) -> str:
    if key in ("and", "or"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidFilterError(place, "must be a list of filters")
        parts = [
            _write_filter(part, f"{place}.{index}", writer, depth + 1)
            for index, part in enumerate(value)
        ]
        return _join(parts, key, "true" if key == "and" else "false")
    if key == "not":
        return f"not ({_write_filter(value, place, writer, depth + 1)})"
    return _write_field(key, value, place, writer)


def _join(parts: Sequence[str], word: str, when_empty: str) -> str:
    if not parts:
        return when_empty
    return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


def _write_field(name: str, value: object, place: str, writer: _Writer) -> str:
    write = _find_field(name, place)
    tests: Mapping[str, object] = value if isinstance(value, Mapping) else {"eq": value}
    if not tests:
        raise InvalidFilterError(place, f"needs an operator; allowed: {', '.join(OPERATORS)}")
    return _join(
        [
            _write_test(write, operator, wanted, f"{place}.{operator}", writer)
            for operator, wanted in tests.items()
        ],
        "and",
        "true",
    )


_WriteTest = Callable[[str, Any, str, _Writer], str]


def _write_test(
    write: _WriteTest, operator: str, wanted: object, place: str, writer: _Writer
) -> str:
    writer.conditions += 1
    if writer.conditions > MOST_CONDITIONS:
        raise InvalidFilterError("filter", f"has more than {MOST_CONDITIONS} conditions")
    if operator not in OPERATORS:
        raise InvalidFilterError(place, f"is no operator; allowed: {', '.join(OPERATORS)}")
    _check_value(operator, wanted, place)
    if operator in NEGATIONS:
        return f"not ({write(NEGATIONS[operator], wanted, place, writer)})"
    return write(operator, wanted, place, writer)


def _check_value(operator: str, wanted: object, place: str) -> None:
    if operator == "exists":
        if not isinstance(wanted, bool):
            raise InvalidFilterError(place, "must be true or false")
    elif operator in ("in", "nin"):
        _check_list(wanted, place)
    else:
        _check_scalar(wanted, place)
        if operator == "prefix" and not isinstance(wanted, str):
            raise InvalidFilterError(place, "must be a string")
        if operator in ORDERED and (wanted is None or isinstance(wanted, bool)):
            raise InvalidFilterError(place, "must be a number or a string, which have an order")


def _check_list(wanted: object, place: str) -> None:
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise InvalidFilterError(place, "must be a list of values")
    if len(wanted) > MOST_VALUES:
        raise InvalidFilterError(place, f"has more than {MOST_VALUES} values")
    for index, one in enumerate(wanted):
        _check_scalar(one, f"{place}.{index}")


def _check_scalar(value: object, place: str) -> None:
    if value is None or isinstance(value, bool | int):
        if isinstance(value, int) and abs(value) >= 10**100:
            raise InvalidFilterError(place, "is too large a number")
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidFilterError(place, "must be a finite number")
        return
    if not isinstance(value, str):
        raise InvalidFilterError(place, "must be a string, a number, true, false or null")
    if len(value) > LONGEST_VALUE_CHARS:
        raise InvalidFilterError(place, f"is longer than {LONGEST_VALUE_CHARS} characters")
    _check_text(value, place)


def _check_text(value: str, place: str) -> None:
    """Postgres has no U+0000 and no half of a surrogate pair."""
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise InvalidFilterError(place, "holds a character that no document can hold")


def _find_field(name: str, place: str) -> _WriteTest:
    if name.startswith(METADATA):
        steps = name.removeprefix(METADATA).split(".")
        if not all(steps):
            raise InvalidFilterError(place, "names no key; write metadata.<key>")
        _check_text(name, place)
        return _in_metadata([_write_path(form) for form in list_forms(name)])
    if name not in FIELDS:
        allowed = ", ".join([*FIELDS, "metadata.<key>", "and", "or", "not"])
        raise InvalidFilterError(place, f"is no field; allowed: {allowed}")
    return FIELDS[name]


def list_forms(text: str) -> list[str]:
    """A text as it is, composed and decomposed: equal to a reader, and different to Postgres.

    One form for nearly every text, so that the condition stays as short as it can be.
    """
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([text, composed, decomposed]))


def _list_values(values: Sequence[Any]) -> list[Any]:
    """Values with all forms of those that are texts."""
    return [form for one in values for form in (list_forms(one) if isinstance(one, str) else [one])]


def _write_path(name: str) -> str:
    """The jsonpath of metadata.<key>."""
    steps = name.removeprefix(METADATA).split(".")
    return "$" + "".join(f".{json.dumps(step)}" for step in steps)


def _in_metadata(paths: Sequence[str]) -> _WriteTest:
    """Tests over a value in the metadata, as jsonpath, whose lax mode looks into lists.

    The paths are the forms of one key.
    """

    def write(operator: str, wanted: Any, _place: str, writer: _Writer) -> str:
        if operator == "exists":
            found = _find(paths, writer)
            return found if wanted else f"not ({found})"
        if operator in ("eq", "in"):
            values = _list_values(wanted if operator == "in" else [wanted])
            tests = [f"@ == {json.dumps(one)}" for one in values] or ["1 == 0"]
        elif operator == "prefix":
            tests = [f"@ starts with {json.dumps(form)}" for form in list_forms(wanted)]
        else:
            tests = [f"@ {COMPARISONS[operator]} {json.dumps(wanted)}"]
        return _find([f"{path} ? ({' || '.join(tests)})" for path in paths], writer)

    return write


def _find(paths: Sequence[str], writer: _Writer) -> str:
    """Whether the metadata has something at one of some jsonpaths."""
    return _join([f"e.metadata @? {writer.bind(path, 'jsonpath')}" for path in paths], "or", "")


def _text(column: str) -> _WriteTest:
    """Tests over a text; strings compare by code point, as they do in metadata."""

    def write(operator: str, wanted: Any, _place: str, writer: _Writer) -> str:
        if operator == "exists":
            return f"{column} is {'not ' if wanted else ''}null"
        if operator == "in":
            texts = _list_values([one for one in wanted if isinstance(one, str)])
            return f"coalesce({column} = any({writer.bind(texts, 'text[]')}), false)"
        if not isinstance(wanted, str):
            return "false"
        forms = list_forms(wanted) if operator in ("eq", "prefix") else [wanted]
        tests = [
            f"starts_with({column}, {writer.bind(form, 'text')})"
            if operator == "prefix"
            else f'{column} collate "C" {_SIGNS[operator]} {writer.bind(form, "text")}'
            for form in forms
        ]
        return f"coalesce({_join(tests, 'or', '')}, false)"

    return write


def _texts(column: str) -> _WriteTest:
    """Tests that one element of a list of texts satisfies."""

    def write(operator: str, wanted: Any, place: str, writer: _Writer) -> str:
        if operator == "exists":
            return f"cardinality({column}) {'>' if wanted else '='} 0"
        test = _text("element")(operator, wanted, place, writer)
        return f"exists (select from unnest({column}) as element where {test})"

    return write


def _number(column: str) -> _WriteTest:
    def write(operator: str, wanted: Any, _place: str, writer: _Writer) -> str:
        if operator == "exists":
            return f"{column} is {'not ' if wanted else ''}null"
        if operator == "in":
            numbers = [one for one in wanted if _is_number(one)]
            return f"coalesce({column} = any({writer.bind(numbers, 'numeric[]')}), false)"
        if operator == "prefix" or not _is_number(wanted):
            return "false"
        sign = "=" if operator == "eq" else COMPARISONS[operator]
        return f"coalesce({column} {sign} {writer.bind(wanted, 'numeric')}, false)"

    return write


def _time(column: str) -> _WriteTest:
    def write(operator: str, wanted: Any, place: str, writer: _Writer) -> str:
        if operator == "exists":
            return f"{column} is {'not ' if wanted else ''}null"
        if operator == "prefix":
            raise InvalidFilterError(place, "is not possible on a time; use gte and lt")
        if operator == "in":
            times = [_read_time(one, place) for one in wanted]
            return f"coalesce({column} = any({writer.bind(times, 'timestamptz[]')}), false)"
        sign = "=" if operator == "eq" else COMPARISONS[operator]
        bound = writer.bind(_read_time(wanted, place), "timestamptz")
        return f"coalesce({column} {sign} {bound}, false)"

    return write


def _read_time(value: object, place: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidFilterError(
            place, "must be a time of ISO 8601 with its zone, such as 2026-11-25T08:00:00Z"
        )
    return moment


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _media_type(operator: str, wanted: Any, _place: str, writer: _Writer) -> str:
    """Tests over the media type, which follows from the format that the parse was read as."""
    suits: Callable[[str], bool]
    if operator == "exists":
        return "true" if wanted else "false"
    if operator == "in":
        suits = wanted.__contains__
    elif not isinstance(wanted, str):
        return "false"
    elif operator == "prefix":
        suits = partial(_starts_with, wanted)
    else:
        suits = partial(_ORDERS[operator], wanted)
    known = [name for name, media_type in MEDIA_TYPES.items() if suits(media_type)]
    others = f" or p.file_type <> all({writer.bind(list(MEDIA_TYPES), 'text[]')})"
    return (
        "exists (select from ragline.documents as d join ragline.parses as p on p.id = d.parse_id "
        f"where d.id = e.document_key and (p.file_type = any({writer.bind(known, 'text[]')})"
        f"{others if suits(UNKNOWN) else ''}))"
    )


def _starts_with(prefix: str, value: str) -> bool:
    return value.startswith(prefix)


# The wanted value comes first, so that it can be bound: `gt` asks whether it is less.
_ORDERS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": operator_module.eq,
    "gt": operator_module.lt,
    "gte": operator_module.le,
    "lt": operator_module.gt,
    "lte": operator_module.ge,
}

FIELDS: Mapping[str, _WriteTest] = {
    "source": _text("e.source"),
    "document_id": _text("e.document_id"),
    "media_type": _media_type,
    "title": _text("e.title"),
    "heading": _texts("e.heading_path"),
    "page": _number("e.page"),
    "source_changed_at": _time("e.source_changed_at"),
    "indexed_at": _time("e.indexed_at"),
}
