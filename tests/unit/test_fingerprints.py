"""A hash depends on the bytes; a fingerprint depends on the values but not on their order."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragline.fingerprints import fingerprint, hash_bytes, hash_text


@given(st.text())
def test_hash_of_a_text_is_that_of_its_utf_8(text: str):
    assert hash_text(text) == hash_bytes(text.encode()) == hashlib.sha256(text.encode()).digest()


def test_fingerprint_does_not_depend_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [2, "x"]}) == fingerprint({"b": (2, "x"), "a": 1})


def test_fingerprint_never_changes_between_releases():
    # Databases store it: another value here would chunk and embed everything again.
    assert fingerprint({"model": "é", "dimension": 384}) == "db2010fad63d469d"


@pytest.mark.parametrize("other", [{"a": 2}, {"b": 1}, {"a": "1"}, {"a": 1, "b": None}, {}])
def test_fingerprints_of_different_settings_differ(other: dict[str, object]):
    assert fingerprint(other) != fingerprint({"a": 1})


def test_fingerprint_refuses_values_without_a_stable_form():
    with pytest.raises(TypeError):
        fingerprint({"a": object()})
