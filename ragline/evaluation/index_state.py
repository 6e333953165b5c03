"""The fingerprints of a generation: what the figures of an evaluation depend on in the index.

The service reads them for an index card, so this module does not import the measures.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class IndexState:
    """The fingerprints of a generation. `content_fingerprint` changes with each sync that writes.

    `parser_fingerprints` has several values if the parser changed and some documents were not read
    again since then.
    """

    id: int
    space_fingerprint: str
    chunker_fingerprint: str
    parser_fingerprints: tuple[str, ...]
    content_fingerprint: str


def read_index_state(
    database: Database, collection: str, generation_id: int | None = None
) -> IndexState | None:
    """Return the fingerprints of a generation, or None if its table cannot be searched.

    Without `generation_id`, the result describes the live generation.
    """
    statement = load_statement("quality/select_index_state")
    parameters = {"collection": collection, "generation_id": generation_id}
    with database.connect() as connection:
        row = connection.execute(statement, parameters).mappings().first()
    if row is None:
        return None
    return IndexState(**{**row, "parser_fingerprints": tuple(row["parser_fingerprints"])})
