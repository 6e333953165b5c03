"""Chooses the two generations that a gate compares, and reads their properties."""

from __future__ import annotations

from collections.abc import Sequence

from ragline.errors import UnknownGenerationError
from ragline.gate.report import GenerationFacts
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def choose_generations(
    database: Database, collection: str, candidate_id: int | None
) -> tuple[GenerationFacts | None, GenerationFacts]:
    """Return the live generation, or None without one, and the generation to judge.

    Without `candidate_id`, the newest candidate that contains every readable document is judged.

    Raises:
        UnknownGenerationError: there is no such generation, or it is the live one.
    """
    known = list_facts(database, collection)
    live = next((one for one in known if one.state == "live"), None)
    if candidate_id is None:
        return live, _choose_newest(database, collection, known)
    found = next((one for one in known if one.id == candidate_id), None)
    if found is None:
        ids = ", ".join(f"{one.id} ({one.state})" for one in known) or "none"
        raise UnknownGenerationError(
            f"collection {collection} has no generation {candidate_id} with a table; "
            f"generations with a table: {ids}"
        )
    if found == live:
        raise UnknownGenerationError(
            f"generation {candidate_id} of {collection} is live; name another one to judge"
        )
    return live, found


def list_facts(database: Database, collection: str) -> list[GenerationFacts]:
    """Return the generations of a collection whose tables can be searched, oldest first."""
    statement = load_statement("gate/select_generation_facts")
    with database.connect() as connection:
        rows = connection.execute(statement, {"collection": collection})
        return [
            GenerationFacts(**{**row, "parser_fingerprints": tuple(row["parser_fingerprints"])})
            for row in rows.mappings()
        ]


def count_missing_documents(
    database: Database, collection: str, generation: GenerationFacts
) -> dict[str, int]:
    """Return the number of readable documents that a generation lacks, by source.

    A source without such documents is left out.
    """
    statement = load_statement("gate/count_missing_documents")
    parameters = {"collection": collection, "generation_id": generation.id}
    with database.connect() as connection:
        return {row.source: row.documents for row in connection.execute(statement, parameters)}


def _choose_newest(
    database: Database, collection: str, known: Sequence[GenerationFacts]
) -> GenerationFacts:
    for one in reversed(known):
        # A generation that is still being built cannot be promoted.
        if one.state == "candidate" and not count_missing_documents(database, collection, one):
            return one
    raise UnknownGenerationError(
        f"collection {collection} has no complete candidate to judge; `ragline generation build "
        f"{collection}` builds one, or name a generation with --candidate ID"
    )
