"""Groups the facets for the page. Each value of a facet is a filter in the page's URL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from ragline.search.facets import Facet, FacetValue, read_facets
from retrieval_api.access.callers import Caller
from retrieval_api.page.formatting import format_media_type

CACHE_S = 30.0
MAX_CACHED_CALLERS = 200
MAX_GROUPS = 8
_NAMES = {"source": "Source", "media_type": "Format"}


@dataclass(frozen=True, slots=True)
class OfferedValue:
    """A value of a facet: its text in the URL, its label, and its number of documents."""

    facet: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetGroup:
    """A field with its values. `documents` is the number of documents that were counted."""

    name: str
    values: list[OfferedValue]
    documents: int


class FacetCache:
    """Facets, which are cached for half a minute. Several threads can use it.

    Callers that see the same documents share the cached facets.
    """

    def __init__(self) -> None:
        self._cache: dict[tuple[object, ...], tuple[float, list[Facet]]] = {}
        self._lock = Lock()

    def read(self, caller: Caller, collection: str) -> list[Facet]:
        """Return the facets of the documents that a caller may see."""
        principals = caller.restrict_principals(())
        key = (collection, caller.tenant, principals)
        with self._lock:
            known = self._cache.get(key)
        if known is not None and monotonic() - known[0] < CACHE_S:
            return known[1]
        facets = read_facets(caller.database, collection, principals)
        with self._lock:
            if len(self._cache) >= MAX_CACHED_CALLERS:
                self._cache.clear()
            self._cache[key] = (monotonic(), facets)
        return facets


def write_facet(field: str, value: FacetValue) -> str:
    """Write a condition as a text for a URL, such as `metadata.topic:"sick"`."""
    return f"{field}:{json.dumps(value, ensure_ascii=False)}"


def read_facet(facet: str) -> tuple[str, Any]:
    """Return the field and the value of a text from `write_facet`.

    A value that is not JSON is a string.

    Raises:
        ValueError: the text contains no field.
    """
    field, separator, written = facet.partition(":")
    if not separator or not field:
        raise ValueError(f"{facet!r} contains no field")
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        value = written
    return field, value if isinstance(value, str | int | float | bool) else written


def build_condition(facets: Sequence[str]) -> dict[str, Any]:
    """Build the filter for selected facets. Each field must have one of its selected values.

    Raises:
        ValueError: a facet contains no field.
    """
    chosen: dict[str, list[Any]] = {}
    for facet in facets:
        field, value = read_facet(facet)
        chosen.setdefault(field, []).append(value)
    return {field: of[0] if len(of) == 1 else {"in": of} for field, of in chosen.items()}


def group_facets(facets: Sequence[Facet], chosen: Sequence[str]) -> list[FacetGroup]:
    """Return the facets to offer, without the selected values. Source and format come first."""
    groups = []
    for facet in sorted(facets, key=lambda one: one.field not in _NAMES)[:MAX_GROUPS]:
        values = [
            OfferedValue(write_facet(facet.field, value), label_value(facet.field, value), count)
            for value, count in facet.values
            if write_facet(facet.field, value) not in chosen
        ]
        if values:
            groups.append(FacetGroup(label_field(facet.field), values, facet.documents))
    return groups


def label_facet(facet: str) -> str:
    """Return a selected facet in words, such as `topic: sick`."""
    try:
        field, value = read_facet(facet)
    except ValueError:
        return facet
    return f"{label_field(field)}: {label_value(field, value)}"


def label_field(field: str) -> str:
    """Return the label of a field. The label of a metadata field is its key."""
    return _NAMES.get(field, field.removeprefix("metadata."))


def label_value(field: str, value: object) -> str:
    """Return the label of a value. The label of a string is the string."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return format_media_type(text) or text if field == "media_type" else text
