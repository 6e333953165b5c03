"""The fields by which a collection's documents differ, with their most common values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from ragline.parsing.formats import media_type_of
from ragline.search.inspection import Principals
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# Counting so many documents takes a few hundredths of a second; of a larger collection the counts
# are those of a sample.
SAMPLED_DOCUMENTS = 10_000
FACET_VALUES = 8
LONGEST_VALUE_CHARS = 60

FacetValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A field of search filters with its most common values, each with its count of documents.

    `documents` is how many were counted.
    """

    field: str
    values: list[tuple[FacetValue, int]]
    documents: int


def read_facets(database: Database, collection: str, principals: Principals) -> list[Facet]:
    """The facets of what searches of a collection answer with, as `principals` may see it.

    In order of name; none without a live index.
    """
    parameters = {
        "collection": collection,
        "principals": None if principals is None else list(principals),
        "sample": SAMPLED_DOCUMENTS,
        "most": FACET_VALUES,
        "longest": LONGEST_VALUE_CHARS,
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("page/select_facets"), parameters).all()
    return [_make_facet(field, list(group)) for field, group in groupby(rows, _name_field)]


def _name_field(row: Row[Any]) -> str:
    return str(row.field)


def _make_facet(field: str, rows: Sequence[Row[Any]]) -> Facet:
    """A field as filters know it: the format of a file is its media type there."""
    documents = rows[0].documents
    if field == "file_type":
        types = [(media_type_of(row.value) or "", row.document_count) for row in rows]
        return Facet("media_type", [*types], documents)
    return Facet(field, [(row.value, row.document_count) for row in rows], documents)
