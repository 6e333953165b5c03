"""The operations of the service's OpenAPI document that read input from the caller.

Tests compare them with the requests that they send. So a new endpoint cannot be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import httpx2


def list_operations_with_input(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Method and path of each operation with a parameter or a body."""
    return {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("parameters") or "requestBody" in operation
    }


def match_operations(
    operations: Iterable[tuple[str, str]], requests: Iterable[httpx2.Request]
) -> set[tuple[str, str]]:
    """The operations that at least one of the requests calls."""
    sent = {(request.method, request.url.path) for request in requests}
    return {
        (method, path)
        for method, path in operations
        if any(
            method == sent_method and re.fullmatch(_make_pattern(path), sent_path, re.DOTALL)
            for sent_method, sent_path in sent
        )
    }


def _make_pattern(path: str) -> str:
    """A regular expression for a path. A parameter matches one or more characters except `/`."""
    parts = re.split(r"\{\w+\}", path)
    return "[^/]+".join(map(re.escape, parts))
