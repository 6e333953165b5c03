"""The fields of filters. This module writes a condition on each field in SQL.

A condition on a field of an entry `e` tests a column. A condition on a field of the metadata uses
jsonpath. The grammar of filters is in `filters`.
"""

from __future__ import annotations

import json
import operator as operator_module
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from ragline.errors import InvalidFilterError
from ragline.parsing.formats import MEDIA_TYPES, UNKNOWN

METADATA = "metadata."
# The operators in jsonpath. jsonpath and SQL compare values as docs/filters.md describes.
COMPARISONS = {"eq": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_SQL_COMPARISONS = COMPARISONS | {"eq": "="}


@dataclass
class ConditionWriter:
    """Collects the values of a condition. Each value gets its own placeholder.

    `conditions` is the number of tests that were written so far.
    """

    values: dict[str, object] = field(default_factory=dict)
    conditions: int = 0

    def bind(self, value: object, sql_type: str) -> str:
        """Store a value, and return its placeholder with a cast to its SQL type."""
        name = f"filter_{len(self.values)}"
        self.values[name] = value
        return f"cast(:{name} as {sql_type})"


# A function that writes the test of one operator in SQL. Its arguments are the operator, the wanted
# value, the path in the filter, and the writer.
WriteTest = Callable[[str, Any, str, ConditionWriter], str]


def find_field(name: str, path: str) -> WriteTest:
    """Return the function that writes tests on the field `name`.

    `path` is the path of the condition in the filter. The error names it.

    Raises:
        InvalidFilterError: there is no such field. The message lists the fields.
    """
    if name.startswith(METADATA):
        steps = name.removeprefix(METADATA).split(".")
        if not all(steps):
            raise InvalidFilterError(path, "names no key; write metadata.<key>")
        check_text(name, path)
        return _metadata_field([_write_path(form) for form in list_forms(name)])
    if name not in FIELDS:
        allowed = ", ".join([*FIELDS, "metadata.<key>", "and", "or", "not"])
        raise InvalidFilterError(path, f"is not a field; allowed: {allowed}")
    return FIELDS[name]


def list_forms(text: str) -> list[str]:
    """Return the Unicode forms of a text: as given, composed (NFC) and decomposed (NFD).

    The forms look equal, but Postgres treats them as different. Most texts have only one form.
    """
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([text, composed, decomposed]))


def _list_values(values: Sequence[Any]) -> list[Any]:
    """Return the values, with all Unicode forms of the strings."""
    return [form for one in values for form in (list_forms(one) if isinstance(one, str) else [one])]


def _write_path(name: str) -> str:
    """Write the jsonpath of metadata.<key>."""
    steps = name.removeprefix(METADATA).split(".")
    return "$" + "".join(f".{json.dumps(step)}" for step in steps)


def _metadata_field(paths: Sequence[str]) -> WriteTest:
    """Return a function that writes tests on a value in the metadata, by jsonpath.

    In its lax mode, jsonpath tests each element of a list. `paths` are the Unicode forms of one
    key.
    """

    def write(operator: str, wanted: Any, _path: str, writer: ConditionWriter) -> str:
        if operator == "exists":
            found = _write_exists(paths, writer)
            return found if wanted else f"not ({found})"
        if operator in ("eq", "in"):
            values = _list_values(wanted if operator == "in" else [wanted])
            tests = [f"@ == {json.dumps(one)}" for one in values] or ["1 == 0"]
        elif operator == "prefix":
            tests = [f"@ starts with {json.dumps(form)}" for form in list_forms(wanted)]
        else:
            tests = [f"@ {COMPARISONS[operator]} {json.dumps(wanted)}"]
        return _write_exists([f"{path} ? ({' || '.join(tests)})" for path in paths], writer)

    return write


def _write_exists(paths: Sequence[str], writer: ConditionWriter) -> str:
    """Write the test that one of the jsonpaths finds a value in the metadata."""
    return join_conditions(
        [f"e.metadata @? {writer.bind(path, 'jsonpath')}" for path in paths], "or", ""
    )


def _text_field(column: str) -> WriteTest:
    """Return a function that writes tests on a text column.

    Strings are compared by code point, as in the metadata.
    """

    def write(operator: str, wanted: Any, _path: str, writer: ConditionWriter) -> str:
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
            else f'{column} collate "C" {_SQL_COMPARISONS[operator]} {writer.bind(form, "text")}'
            for form in forms
        ]
        return f"coalesce({join_conditions(tests, 'or', '')}, false)"

    return write


def _text_list_field(column: str) -> WriteTest:
    """Return a function that writes tests on a column with a list of texts.

    A test is true if one element satisfies it.
    """

    def write(operator: str, wanted: Any, path: str, writer: ConditionWriter) -> str:
        if operator == "exists":
            return f"cardinality({column}) {'>' if wanted else '='} 0"
        test = _text_field("element")(operator, wanted, path, writer)
        return f"exists (select from unnest({column}) as element where {test})"

    return write


def _number_field(column: str) -> WriteTest:
    """Return a function that writes tests on a numeric column."""

    def write(operator: str, wanted: Any, _path: str, writer: ConditionWriter) -> str:
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


def _time_field(column: str) -> WriteTest:
    """Return a function that writes tests on a timestamptz column."""

    def write(operator: str, wanted: Any, path: str, writer: ConditionWriter) -> str:
        if operator == "exists":
            return f"{column} is {'not ' if wanted else ''}null"
        if operator == "prefix":
            raise InvalidFilterError(path, "is not possible on a time; use gte and lt")
        if operator == "in":
            times = [_read_time(one, path) for one in wanted]
            return f"coalesce({column} = any({writer.bind(times, 'timestamptz[]')}), false)"
        sign = "=" if operator == "eq" else COMPARISONS[operator]
        bound = writer.bind(_read_time(wanted, path), "timestamptz")
        return f"coalesce({column} {sign} {bound}, false)"

    return write


def _read_time(value: object, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise InvalidFilterError(
            path, "must be a time of ISO 8601 with its zone, such as 2026-11-25T08:00:00Z"
        )
    return time


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _media_type_field(operator: str, wanted: Any, _path: str, writer: ConditionWriter) -> str:
    """Write a test on the media type, which follows from the file type of the parse."""
    matches: Callable[[str], bool]
    if operator == "exists":
        return "true" if wanted else "false"
    if operator == "in":
        matches = wanted.__contains__
    elif not isinstance(wanted, str):
        return "false"
    elif operator == "prefix":
        matches = partial(_starts_with, wanted)
    else:
        matches = partial(_REVERSED_COMPARISONS[operator], wanted)
    known = [name for name, media_type in MEDIA_TYPES.items() if matches(media_type)]
    others = f" or p.file_type <> all({writer.bind(list(MEDIA_TYPES), 'text[]')})"
    return (
        "exists (select from ragline.documents as d join ragline.parses as p on p.id = d.parse_id "
        f"where d.id = e.document_key and (p.file_type = any({writer.bind(known, 'text[]')})"
        f"{others if matches(UNKNOWN) else ''}))"
    )


def _starts_with(prefix: str, value: str) -> bool:
    return value.startswith(prefix)


def check_text(value: str, path: str) -> None:
    """Refuse U+0000 and lone surrogates, which Postgres cannot store.

    Raises:
        InvalidFilterError: the text contains such a character.
    """
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidFilterError(path, "contains a character that no document can contain")


def join_conditions(parts: Sequence[str], word: str, when_empty: str) -> str:
    """Join conditions by `and` or `or`, in parentheses if there are several.

    `when_empty` is the result if there is no condition.
    """
    if not parts:
        return when_empty
    return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


# Comparisons with swapped arguments: the wanted value comes first, so that `partial` can bind it.
# Therefore the function of `gt` is "less than".
_REVERSED_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": operator_module.eq,
    "gt": operator_module.lt,
    "gte": operator_module.le,
    "lt": operator_module.gt,
    "lte": operator_module.ge,
}

FIELDS: Mapping[str, WriteTest] = {
    "source": _text_field("e.source"),
    "document_id": _text_field("e.document_id"),
    "media_type": _media_type_field,
    "title": _text_field("e.title"),
    "heading": _text_list_field("e.heading_path"),
    "page": _number_field("e.page"),
    "source_changed_at": _time_field("e.source_changed_at"),
    "indexed_at": _time_field("e.indexed_at"),
}
