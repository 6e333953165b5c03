"""Filters: this module compiles a filter in JSON to a condition in SQL.

A filter is an object of conditions, all of which must be true. The values of `and` and `or` are
lists of filters. The value of `not` is a filter. Every other key is the name of a field. The value
of a field is a value to compare with, or an object of operators.

    {"source": "handbook", "metadata.year": {"gte": 2024}, "not": {"heading": {"prefix": "App"}}}

docs/filters.md defines the semantics, and a test checks the truth table on that page. A condition
is either true or false. It is false if the entry lacks the field. The operators `not`, `ne` and
`nin` negate this result, so they are true if the entry lacks the field. If a field is a list, one
element that satisfies the condition is enough. Values of different types are never equal and have
no order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragline.errors import InvalidFilterError
from ragline.search.filter_fields import (
    ConditionWriter,
    WriteTest,
    check_text,
    find_field,
    join_conditions,
)

Json = Mapping[str, Any]

MAX_DEPTH = 10
MAX_CONDITIONS = 200
MAX_VALUES = 1_000
MAX_VALUE_CHARS = 4_096
# `ne` and `nin` are the negations of `eq` and `in`.
NEGATIONS = {"ne": "eq", "nin": "in"}
ORDERED = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "prefix", "exists")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on an entry `e` in SQL, and the values of its placeholders."""

    sql: str
    values: Mapping[str, object]


def compile_filter(filter_: Json) -> Condition:
    """Return the condition of a filter. Values are bound to placeholders and are not in the SQL.

    Raises:
        InvalidFilterError: the filter is malformed. The message names the path, such as
            `filter.and.1.page`.
    """
    writer = ConditionWriter()
    return Condition(_write_filter(filter_, "filter", writer, 0), writer.values)


def split_filter(filter_: Json, path: str = "filter") -> list[tuple[str, Json]]:
    """Split a filter into its conditions, all of which must be true.

    Each item is the path of a condition, and the condition as a filter.
    """
    parts: list[tuple[str, Json]] = []
    for key, value in filter_.items():
        here = f"{path}.{key}"
        if key == "and":
            for index, part in enumerate(value):
                parts += split_filter(part, f"{here}.{index}")
        elif key not in ("or", "not") and isinstance(value, Mapping):
            parts += [(f"{here}.{name}", {key: {name: test}}) for name, test in value.items()]
        else:
            parts.append((here, {key: value}))
    return parts


def _write_filter(filter_: object, path: str, writer: ConditionWriter, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise InvalidFilterError(path, f"is nested deeper than {MAX_DEPTH}")
    if not isinstance(filter_, Mapping):
        raise InvalidFilterError(path, "must be an object of conditions")
    parts = [
        _write_member(key, value, f"{path}.{key}", writer, depth) for key, value in filter_.items()
    ]
    return join_conditions(parts, "and", "true")


def _write_member(key: str, value: object, path: str, writer: ConditionWriter, depth: int) -> str:
    if key in ("and", "or"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidFilterError(path, "must be a list of filters")
        parts = [
            _write_filter(part, f"{path}.{index}", writer, depth + 1)
            for index, part in enumerate(value)
        ]
        return join_conditions(parts, key, "true" if key == "and" else "false")
    if key == "not":
        return f"not ({_write_filter(value, path, writer, depth + 1)})"
    return _write_field(key, value, path, writer)


def _write_field(name: str, value: object, path: str, writer: ConditionWriter) -> str:
    write = find_field(name, path)
    tests: Mapping[str, object] = value if isinstance(value, Mapping) else {"eq": value}
    if not tests:
        raise InvalidFilterError(path, f"needs an operator; allowed: {', '.join(OPERATORS)}")
    return join_conditions(
        [
            _write_test(write, operator, wanted, f"{path}.{operator}", writer)
            for operator, wanted in tests.items()
        ],
        "and",
        "true",
    )


def _write_test(
    write: WriteTest, operator: str, wanted: object, path: str, writer: ConditionWriter
) -> str:
    writer.conditions += 1
    if writer.conditions > MAX_CONDITIONS:
        raise InvalidFilterError("filter", f"has more than {MAX_CONDITIONS} conditions")
    if operator not in OPERATORS:
        raise InvalidFilterError(path, f"is not an operator; allowed: {', '.join(OPERATORS)}")
    _check_value(operator, wanted, path)
    if operator in NEGATIONS:
        return f"not ({write(NEGATIONS[operator], wanted, path, writer)})"
    return write(operator, wanted, path, writer)


def _check_value(operator: str, wanted: object, path: str) -> None:
    if operator == "exists":
        if not isinstance(wanted, bool):
            raise InvalidFilterError(path, "must be true or false")
    elif operator in ("in", "nin"):
        _check_list(wanted, path)
    else:
        _check_scalar(wanted, path)
        if operator == "prefix" and not isinstance(wanted, str):
            raise InvalidFilterError(path, "must be a string")
        if operator in ORDERED and (wanted is None or isinstance(wanted, bool)):
            raise InvalidFilterError(path, "must be a number or a string, which have an order")


def _check_list(wanted: object, path: str) -> None:
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise InvalidFilterError(path, "must be a list of values")
    if len(wanted) > MAX_VALUES:
        raise InvalidFilterError(path, f"has more than {MAX_VALUES} values")
    for index, one in enumerate(wanted):
        _check_scalar(one, f"{path}.{index}")


def _check_scalar(value: object, path: str) -> None:
    if value is None or isinstance(value, bool | int):
        if isinstance(value, int) and abs(value) >= 10**100:
            raise InvalidFilterError(path, "is too large a number")
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidFilterError(path, "must be a finite number")
        return
    if not isinstance(value, str):
        raise InvalidFilterError(path, "must be a string, a number, true, false or null")
    if len(value) > MAX_VALUE_CHARS:
        raise InvalidFilterError(path, f"is longer than {MAX_VALUE_CHARS} characters")
    check_text(value, path)
