"""Groups the queries of a golden set into slices, so that a fall in one part is seen.

A query is in the slices of its relevant documents: their sources, media types and languages. It is
also in the slice of its length, and in a slice for each of its tags. A query can be in several
slices of one kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from ragline.golden_set import GoldenSet
from ragline.golden_set.reading import read_content
from ragline.parsing.formats import media_type_of
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The largest number of words of each slice by length.
LENGTHS = ((3, "1 to 3 words"), (8, "4 to 8 words"), (None, "9 and more words"))

Slices = dict[str, set[str]]


def find_slices(
    database: Database, collection: str, golden: GoldenSet, tags: Mapping[str, Iterable[str]]
) -> Slices:
    """Return the ids of the queries in each slice, by the name of the slice, such as `tag = faq`.

    The slices are sorted by name. A slice that contains all queries is left out, because its
    comparison would be the same as that over all queries.
    """
    slices: Slices = {}
    for key, query in golden.queries.items():
        for name in (
            f"length = {_name_length(query)}",
            *(f"tag = {tag}" for tag in tags.get(key, ())),
        ):
            slices.setdefault(name, set()).add(key)
    for key, name in _list_properties(database, collection, golden):
        slices.setdefault(name, set()).add(key)
    return {
        name: slices[name] for name in sorted(slices) if len(slices[name]) < len(golden.queries)
    }


def read_tags(folder: Path) -> dict[str, list[str]]:
    """Read the tags of the queries of a golden set: the field `tags` of a line, a list of texts."""
    fields = {key: query.fields.get("tags") for key, query in read_content(folder).queries.items()}
    return {
        key: [str(tag) for tag in tags] for key, tags in fields.items() if isinstance(tags, list)
    }


def _list_properties(
    database: Database, collection: str, golden: GoldenSet
) -> Iterator[tuple[str, str]]:
    """Yield pairs: the id of a query, and a slice of one of its relevant documents."""
    relevant = [one for one in golden.records if one.grade > 0 and one.query_id in golden.queries]
    statement = load_statement("gate/select_document_properties")
    parameters = {
        "collection": collection,
        "document_ids": sorted({one.document_id for one in relevant}),
    }
    with database.connect() as connection:
        rows = connection.execute(statement, parameters).all()
    documents = {(row.document_id, row.source): row for row in rows}
    sources: dict[str, list[str]] = {}
    for document_id, source in documents:
        sources.setdefault(document_id, []).append(source)
    for one in relevant:
        for source in sources.get(one.document_id, []):
            if one.source in (None, source):
                row = documents[one.document_id, source]
                yield from ((one.query_id, name) for name in _name_properties(row))


def _name_properties(row: Row[Any]) -> Iterator[str]:
    """Yield the names of the slices of a document."""
    yield f"source = {row.source}"
    if media_type := media_type_of(row.file_type):
        yield f"media type = {media_type}"
    if row.language:
        yield f"language = {row.language}"


def _name_length(query: str) -> str:
    words = len(query.split())
    return next(name for limit, name in LENGTHS if limit is None or words <= limit)
