"""What must always hold between the ledger and the entries of a generation.

Each invariant is a statement that returns the documents breaking it; an empty answer is the
proof. Comparing with the source itself is more, and not done here yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from ragline.lifecycle.generations import open_generations
from ragline.lifecycle.workshop import Workshop
from ragline.storage.generation_tables import load_generation_statement

NAMED_DOCUMENTS = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule, in words, and the statement that finds what breaks it."""

    name: str
    description: str

    @property
    def statement(self) -> str:
        return f"checks/{self.name}"


INVARIANTS = (
    Invariant(
        "ready_documents_without_entries",
        "Every document that is ready has all its entries in the index.",
    ),
    Invariant(
        "entries_without_chunk",
        "Every entry stands for a chunk of its document, with the same text.",
    ),
    Invariant("zero_vectors", "No entry has a vector of length zero, which nothing can find."),
    Invariant(
        "entries_of_gone_documents",
        "No entry is left of a document that was removed or refused.",
    ),
    Invariant(
        "miscounted_placements",
        "The number of entries of each document is the number that was placed.",
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an invariant holds in every open generation, and the documents that break it."""

    invariant: Invariant
    broken_count: int
    documents: list[str]

    @property
    def holds(self) -> bool:
        return self.broken_count == 0


def check_invariants(workshop: Workshop, source_name: str) -> list[Verdict]:
    """Hold every invariant against one source's entries, in the order of INVARIANTS."""
    settings = workshop.configuration.source(source_name)
    generations = [generation.id for generation in open_generations(workshop, settings.collection)]
    return [_check(workshop, source_name, invariant, generations) for invariant in INVARIANTS]


def _check(
    workshop: Workshop, source_name: str, invariant: Invariant, generations: list[int]
) -> Verdict:
    broken: list[str] = []
    with workshop.database.connect() as connection:
        for generation_id in generations:
            statement = load_generation_statement(invariant.statement, generation_id)
            parameters = {"source": source_name, "generation_id": generation_id}
            broken += [row.document_id for row in connection.execute(statement, parameters)]
    return Verdict(invariant, len(broken), broken[:NAMED_DOCUMENTS])
