"""Values of other systems as JSON that Postgres can store."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest

from ragline.sources.json_values import encode_values, json_value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (Decimal(3), 3),
        (Decimal("3.00"), 3),
        (Decimal("0.1"), 0.1),
        (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
        (Decimal("NaN"), None),
        (Decimal("1E+500"), "1E+500"),
        (float("inf"), None),
        (date(2024, 5, 1), "2024-05-01"),
        (datetime(2024, 5, 1, tzinfo=UTC), "2024-05-01T00:00:00+00:00"),
        (time(12, 30), "12:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("a\0b\ud800", "a\ufffdb?"),
        ({1: ["\0", (Decimal(1),)]}, {"1": ["\ufffd", [1]]}),
    ],
)
def test_value_becomes_json(value, expected):
    assert json_value(value) == expected
    json.dumps(json_value(value), allow_nan=False)


@pytest.mark.parametrize("value", [b"x", [memoryview(b"x")], {"a": bytearray(b"x")}])
def test_bytes_are_refused(value):
    with pytest.raises(ValueError, match="contains bytes"):
        json_value(value)


@pytest.mark.parametrize("value", [b"x", "x", None, 1, 1.5, date(2024, 5, 1), {"a", "b"}, "\ud800"])
def test_different_values_have_different_bytes(value):
    encoded = encode_values({"a": value})
    assert encoded == encode_values({"a": value})
    assert encoded != encode_values({"a": "other"})
    assert encoded != encode_values({"b": value})
