"""Compares a generation that is not live with the ledger, before a promotion.

This is the part of a sync proof that does not list the source. It distinguishes a document in
flight from a lost document. A sync writes the live generation first, so for some seconds a
candidate lacks a changed document and is still correct. A document is in flight in two cases: the
live generation also lacks its present version, or a sync that is not complete yet has written the
document to the live generation.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragline.configuration import Configuration
from ragline.counts import count
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.invariants import InvariantResult, check_generation
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

NAMED_DOCUMENTS = 3


@dataclass(frozen=True, slots=True)
class CandidateProof:
    """The result of the comparison of a generation with the ledger.

    `faults` describes each fault in words. `in_flight` counts the documents in flight.
    """

    faults: tuple[str, ...]
    in_flight: int


def prove_candidate(
    database: Database, configuration: Configuration, collection: str, generation: Generation
) -> CandidateProof:
    """Compare all entries of a generation with the ledger. Starts no repair."""
    lost = count_lost_documents(database, collection, generation.id)
    faults = [
        f"it lacks {count(number, 'readable document')} of the source {source}"
        for source, number in lost.items()
    ]
    in_flight = list_documents_in_flight(database, collection, generation.id)
    for source in configuration.sources_of(collection):
        results = check_generation(database, source.name, generation)
        described = (_describe_result(one, source.name, in_flight) for one in results)
        faults += [one for one in described if one is not None]
    return CandidateProof(tuple(faults), len(in_flight))


def count_lost_documents(database: Database, collection: str, generation_id: int) -> dict[str, int]:
    """Return the number of readable documents that a generation lacks, by source.

    Documents in flight are not counted. A source without lost documents is left out.
    """
    in_flight = list_documents_in_flight(database, collection, generation_id)
    parameters = {
        "collection": collection,
        "generation_id": generation_id,
        "in_flight": sorted(in_flight),
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("lifecycle/count_lost_documents"), parameters)
        return {row.source: row.documents for row in rows}


def list_documents_in_flight(
    database: Database, collection: str, generation_id: int
) -> frozenset[int]:
    """Return the database keys of the documents in flight."""
    statement = load_statement("lifecycle/select_documents_in_flight")
    parameters = {"collection": collection, "generation_id": generation_id}
    with database.connect() as connection:
        return frozenset(connection.execute(statement, parameters).scalars())


def _describe_result(result: InvariantResult, source: str, in_flight: frozenset[int]) -> str | None:
    documents = sorted(
        {one.document_id for one in result.violations if one.document_key not in in_flight}
    )
    if not documents:
        return None
    words = result.invariant.name.replace("_", " ")
    named = ", ".join(documents[:NAMED_DOCUMENTS])
    return f"{words} in {count(len(documents), 'document')} of the source {source}, such as {named}"
