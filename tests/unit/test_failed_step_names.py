"""The error of a failed step has the name that the list of errors has."""

from __future__ import annotations

import pytest

from dagster_project.dagster_internals import SerializableErrorInfo
from dagster_project.step_errors import describe_step_error


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
    assert describe_step_error(SerializableErrorInfo(message, [], "SomeError")) == line
