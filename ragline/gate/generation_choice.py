"""Chooses the two generations that a gate compares, and reads their properties."""

from __future__ import annotations

from collections.abc import Sequence

from ragline.errors import UnknownGenerationError
from ragline.gate.report import GenerationFacts
from ragline.lifecycle.candidate_proof import count_lost_documents
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


def choose_generations(
    database: Database, collection: str, candidate_id: int | None, *, has_new_settings: bool = False
) -> tuple[GenerationFacts | None, GenerationFacts]:
    """Return the reference generation, and the generation to judge.

    Without `candidate_id`, the newest candidate that contains every readable document is judged. It
    is compared with the live generation, or with None if no generation is live. If `candidate_id`
    is the live generation, it is compared with the generation that its promotion replaced, or with
    itself if `has_new_settings`. If its promotion was forced, later promotions do not matter.
    Without a complete candidate, new settings are judged in the same way.

    Raises:
        UnknownGenerationError: the generation does not exist; there is no generation to judge; or
            the generation is live and the one that it replaced has no table any more.
    """
    known = list_facts(database, collection)
    live = next((one for one in known if one.state == "live"), None)
    if candidate_id is None:
        return live, _choose_newest(database, collection, known, live if has_new_settings else None)
    found = _find(collection, known, candidate_id)
    if found != live or has_new_settings:
        return live, found
    return _find_replaced(database, collection, known, found), found


def _find_replaced(
    database: Database, collection: str, known: Sequence[GenerationFacts], live: GenerationFacts
) -> GenerationFacts:
    """Return the generation that the promotion of the live generation replaced."""
    statement = load_statement("gate/select_replaced_generation")
    with database.connect() as connection:
        replaced_id = connection.execute(statement, {"generation_id": live.id}).scalar()
    found = next((one for one in known if one.id == replaced_id), None)
    if found is not None:
        return found
    cause = (
        "it replaced no generation"
        if replaced_id is None
        else f"generation {replaced_id}, which it replaced, is dropped"
    )
    raise UnknownGenerationError(
        f"generation {live.id} of {collection} is live, and {cause}; so there is nothing to "
        "compare it with; name another one to judge"
    )


def _find(collection: str, known: list[GenerationFacts], generation_id: int) -> GenerationFacts:
    found = next((one for one in known if one.id == generation_id), None)
    if found is None:
        ids = ", ".join(f"{one.id} ({one.state})" for one in known) or "none"
        raise UnknownGenerationError(
            f"collection {collection} has no generation {generation_id} with a table; "
            f"generations with a table: {ids}"
        )
    return found


def list_facts(database: Database, collection: str) -> list[GenerationFacts]:
    """Return the generations of a collection whose tables can be searched, oldest first."""
    statement = load_statement("gate/select_generation_facts")
    with database.connect() as connection:
        rows = connection.execute(statement, {"collection": collection})
        return [
            GenerationFacts(**{**row, "parser_fingerprints": tuple(row["parser_fingerprints"])})
            for row in rows.mappings()
        ]


def _choose_newest(
    database: Database,
    collection: str,
    known: Sequence[GenerationFacts],
    otherwise: GenerationFacts | None,
) -> GenerationFacts:
    for one in reversed(known):
        # A generation that lacks readable documents cannot be promoted.
        if one.state == "candidate" and not count_lost_documents(database, collection, one.id):
            return one
    if otherwise is not None:
        return otherwise
    raise UnknownGenerationError(
        f"collection {collection} has no complete candidate to judge; `ragline generation build "
        f"{collection}` builds one, or name a generation with --candidate ID"
    )
