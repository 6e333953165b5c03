"""Values of other systems as the JSON and the text that Postgres can keep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from ragline.storable_text import clean_value


def json_value(value: Any) -> Any:
    """A value as JSON that Postgres can keep: times in ISO 8601, what is no number as null.

    What JSON has no form for becomes its text.

    Raises:
        ValueError: it holds bytes, of which nobody knows what they mean.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean_value(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _read_decimal(value)
    return _json_collection(value)


def _json_collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {clean_value(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("holds bytes, which are no text")  # noqa: TRY004 - a fault of the data
    return value.isoformat() if isinstance(value, date | time) else clean_value(str(value))


def _read_decimal(value: Decimal) -> int | float | str | None:
    """A number where that loses nothing, else the digits as text."""
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and value.adjusted() < 30:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


def spell_values(values: Mapping[str, Any]) -> bytes:
    """One line of JSON that differs whenever a value does, bytes included."""
    return json.dumps(values, default=_spell, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _spell(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return value.isoformat() if isinstance(value, date | time) else str(value)
