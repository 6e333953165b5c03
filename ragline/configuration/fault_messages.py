"""The messages of configuration errors: what is wrong in the file and what is allowed.

`yaml_lines` finds the line of an error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from ragline.sources.settings import MASKED, NAME_PATTERN
from ragline.unknown_names import find_nearest

MAX_VALUE_CHARS = 80

# The messages by the type of a pydantic error. Only the first word of the type counts.
_MESSAGES = {
    "list": "must be a list; write [one, two], or each item on its own line after a dash",
    "tuple": "must be a list; write [one, two], or each item on its own line after a dash",
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "string": "must be text; put it in quotes",
    "dict": "must be a mapping of keys and values; write {key: value}",
    "mapping": "must be a mapping of keys and values; write {key: value}",
    "model": "must be a mapping of keys and values; write {key: value}",
    "path": "must be a path; put it in quotes",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least {} is allowed"),
    "greater_than": ("gt", "more than {} is allowed"),
    "less_than_equal": ("le", "at most {} is allowed"),
    "less_than": ("lt", "less than {} is allowed"),
}


def describe_invalid_value(fault: ErrorDetails) -> str:
    """Describe what is wrong with a value and what is allowed.

    If the value can be a secret, the description does not contain it.
    """
    kind, value, context = fault["type"], fault["input"], fault.get("ctx") or {}
    if kind == MASKED:
        return fault["msg"]
    if kind == "missing":
        return "must be given"
    message = _describe_type(kind, context, value) or fault["msg"].removeprefix("Value error, ")
    if value is None:
        return f"has no value; {message}"
    return f"{message} (is {format_value(value)})"


def describe_unknown_key(key: str, allowed: Sequence[str]) -> str:
    """Describe an unknown key: name it, the most similar known key and all known keys."""
    return f"unknown key {key!r}{_hint(key, allowed)}; allowed: {', '.join(allowed)}"


def describe_unknown_kind(kind: object, allowed: Sequence[str]) -> str:
    """Describe an unknown kind of source: name it, the most similar kind and all known kinds."""
    return f"unknown kind {kind!r}{_hint(str(kind), allowed)}; allowed: {', '.join(allowed)}"


def format_value(value: Any) -> str:
    """Write a value as YAML, shortened to MAX_VALUE_CHARS characters."""
    if isinstance(value, str):
        shown = repr(value)
    else:
        shown = json.dumps(value, ensure_ascii=False, default=str)
    if len(shown) <= MAX_VALUE_CHARS:
        return shown
    return f"{shown[:MAX_VALUE_CHARS]}…"


def _describe_type(kind: str, context: dict[str, Any], value: Any) -> str:
    if kind == "string_pattern_mismatch":
        return _describe_pattern(str(context.get("pattern")))
    if kind == "literal_error":
        return _describe_choices(str(context["expected"]), value)
    if kind in _BOUNDS:
        name, message = _BOUNDS[kind]
        return message.format(f"{context[name]:,}")
    if kind in ("string_too_short", "too_short"):
        return "must not be empty"
    if kind in ("string_too_long", "too_long"):
        return f"at most {context['max_length']:,} are allowed"
    return _MESSAGES.get(kind.partition("_")[0], "")


def _describe_pattern(pattern: str) -> str:
    if pattern == NAME_PATTERN:
        return (
            "allowed: lower-case letters, digits, - and _, beginning with a letter or digit, at "
            "most 63 characters"
        )
    if pattern == "^[a-z_]+$":
        return "allowed: lower-case letters and _, as in english"
    return f"allowed: text of the form {pattern}"


def _describe_choices(expected: str, value: Any) -> str:
    choices = [choice.strip("' ") for choice in expected.replace(" or ", ",").split(",")]
    return f"allowed: {', '.join(choices)}{_hint(str(value), choices)}"


def _hint(value: str, allowed: Sequence[str]) -> str:
    close = find_nearest(value, allowed)
    return f" (did you mean {close!r}?)" if close else ""
