"""Converts values of other systems to JSON that Postgres can store, and to bytes for a hash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from ragline.storable_text import clean_value


def json_value(value: Any) -> Any:
    """Convert a value to JSON that Postgres can store.

    Dates and times become text in ISO 8601 format. NaN and infinity become None. Another value
    without a JSON type becomes its text.

    Raises:
        ValueError: the value contains bytes. They cannot be converted, because their encoding is
            not known.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean_value(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _decimal_value(value)
    return _json_collection(value)


def _json_collection(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {clean_value(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("contains bytes, which are not text")  # noqa: TRY004  an error in the data
    return value.isoformat() if isinstance(value, date | time) else clean_value(str(value))


def _decimal_value(value: Decimal) -> int | float | str | None:
    """A decimal as a number if the number is exact, otherwise its digits as text.

    NaN and infinity become None.
    """
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and value.adjusted() < 30:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


def encode_values(values: Mapping[str, Any]) -> bytes:
    """Encode values as one line of JSON in UTF-8. If a value changes, the line changes.

    Bytes become hexadecimal digits. Another value without a JSON type becomes its text.
    """
    return json.dumps(values, default=_encode_value, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def _encode_value(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return value.isoformat() if isinstance(value, date | time) else str(value)
