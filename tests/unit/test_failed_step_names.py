"""The first line of a failed step names an error as the list of errors does."""

from __future__ import annotations

import pytest
from dagster_shared.error import SerializableErrorInfo

from dagster_project.syncing import _name_error


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("ragline.errors.ConfigurationError: x: y\n", "ConfigurationError: x: y"),
        ("assets.checks.WrongError: ragline.errors.X", "WrongError: ragline.errors.X"),
        ("ValueError: ragline.yaml is odd\n", "ValueError: ragline.yaml is odd"),
        ("yaml.scanner.ScannerError: bad\n", "yaml.scanner.ScannerError: bad"),
    ],
)
def test_own_errors_are_named_without_their_module(message: str, line: str) -> None:
    assert _name_error(SerializableErrorInfo(message, [], "SomeError")) == line
