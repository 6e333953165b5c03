"""Groups the queries of a golden set into slices, so that a fall in one part is seen.

A query is in the slices of its relevant documents: their sources, media types and languages. It is
also in the slice of its length, and in a slice for each of its tags. A query can be in several
slices of one kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ragline.golden_set import GoldenSet
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

    The slices are sorted by name. A slice that contains all queries is left out, because it says
    nothing new.
    """
    properties = _read_properties(database, collection, golden)
    slices: Slices = {}
    for key, query in golden.queries.items():
        names = {f"length = {_name_length(query)}", *(f"tag = {tag}" for tag in tags.get(key, ()))}
        for document_id, grade in golden.judgements[key].items():
            if grade > 0:
                names |= properties.get(document_id, set())
        for name in names:
            slices.setdefault(name, set()).add(key)
    return {
        name: slices[name] for name in sorted(slices) if len(slices[name]) < len(golden.queries)
    }


def read_tags(folder: Path) -> dict[str, list[str]]:
    """Read the tags of the queries of a golden set: the field `tags` of a line, a list of texts."""
    tags = {}
    with (folder / "queries.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line) if line.strip() else {}
            if isinstance(row.get("tags"), list):
                tags[str(row["_id"])] = [str(tag) for tag in row["tags"]]
    return tags


def _read_properties(database: Database, collection: str, golden: GoldenSet) -> dict[str, set[str]]:
    """Return the names of the slices of each relevant document, by document id."""
    relevant = sorted(
        {
            name
            for of_query in golden.judgements.values()
            for name, grade in of_query.items()
            if grade
        }
    )
    statement = load_statement("gate/select_document_properties")
    parameters = {"collection": collection, "document_ids": relevant}
    properties: dict[str, set[str]] = {}
    with database.connect() as connection:
        for row in connection.execute(statement, parameters):
            names = properties.setdefault(row.document_id, set())
            names.add(f"source = {row.source}")
            if media_type := media_type_of(row.file_type):
                names.add(f"media type = {media_type}")
            if row.language:
                names.add(f"language = {row.language}")
    return properties


def _name_length(query: str) -> str:
    words = len(query.split())
    return next(name for limit, name in LENGTHS if limit is None or words <= limit)
