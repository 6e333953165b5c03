"""Facets: the metadata fields of a collection's documents, with their most frequent values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from ragline.parsing.formats import media_type_of
from ragline.search.candidates import list_principals
from ragline.search.inspection import Principals
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# Postgres counts this number of documents in a few hundredths of a second. In a larger collection,
# a sample of this size is counted.
MAX_COUNTED_DOCUMENTS = 10_000
MAX_FACET_VALUES = 8
MAX_VALUE_CHARS = 60

FacetValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A field for filters, with its most frequent values and the number of documents of each value.

    `documents` is the number of documents that were counted in total.
    """

    field: str
    values: list[tuple[FacetValue, int]]
    documents: int


def read_facets(database: Database, collection: str, principals: Principals) -> list[Facet]:
    """Return the facets of a collection's live generation, in order of their field.

    Only documents that `principals` may see are counted. Without a live generation the list is
    empty.
    """
    parameters = {
        "collection": collection,
        "principals": list_principals(principals),
        "sample": MAX_COUNTED_DOCUMENTS,
        "most": MAX_FACET_VALUES,
        "longest": MAX_VALUE_CHARS,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("search/select_facets"), parameters).all()
    return [_make_facet(field, list(group)) for field, group in groupby(rows, _get_field)]


def _get_field(row: Row[Any]) -> str:
    return str(row.field)


def _make_facet(field: str, rows: Sequence[Row[Any]]) -> Facet:
    """Make the facet of a field. The field `file_type` is called `media_type` in filters."""
    documents = rows[0].documents
    if field == "file_type":
        types = [(media_type_of(row.value) or "", row.document_count) for row in rows]
        return Facet("media_type", [*types], documents)
    return Facet(field, [(row.value, row.document_count) for row in rows], documents)
