"""What must always hold between the ledger and the entries of a generation.

Each invariant is a statement that returns the documents breaking it; an empty answer is the
proof. Comparing with the source itself is `sync_proof`, which also has the differences repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragline.lifecycle.generations import Generation, list_generations
from ragline.lifecycle.run_context import RunContext
from ragline.storage.generation_tables import load_generation_statement

NAMED_DOCUMENTS = 20
# A live generation of more entries is looked at in parts, another one each time.
ENTRIES_PER_PART = 50_000


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
        "entries_without_embedding",
        "Every entry has the vector that was made of its text.",
    ),
    Invariant(
        "entries_of_gone_documents",
        "No entry is left of a document that was removed or refused.",
    ),
    Invariant(
        "stale_entries",
        "Every entry is of the bytes, the metadata and the readers that the ledger names.",
    ),
    Invariant(
        "miscounted_placements",
        "The number of entries of each document is the number that was placed.",
    ),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that breaks an invariant. Of an orphan nothing but the key may be known."""

    document_id: str
    document_key: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an invariant holds in every open generation, and the documents that break it."""

    invariant: Invariant
    broken: Sequence[Broken]

    @property
    def holds(self) -> bool:
        return not self.broken

    @property
    def documents(self) -> list[str]:
        """The first NAMED_DOCUMENTS that break it, by id."""
        return sorted({one.document_id for one in self.broken})[:NAMED_DOCUMENTS]


def count_parts(generation: Generation, *, in_full: bool = False) -> int:
    """In how many parts a generation is looked at; one that is not served yet always whole."""
    if in_full or generation.state != "live":
        return 1
    return -(-generation.entry_count // ENTRIES_PER_PART) or 1


def check_invariants(
    run_context: RunContext, source_name: str, *, turn: int = 0, in_full: bool = True
) -> list[Verdict]:
    """Hold every invariant against one source's entries, in the order of INVARIANTS.

    Without `in_full` a large live generation is looked at in part, by `turn`: as many turns in a
    row as it has parts see every document.
    """
    settings = run_context.configuration.source(source_name)
    generations = _choose_generations(run_context, source_name, settings.collection)
    return [
        Verdict(
            invariant,
            [
                broken
                for generation in generations
                for broken in _find_broken(
                    run_context,
                    source_name,
                    invariant,
                    generation,
                    (turn, count_parts(generation, in_full=in_full)),
                )
            ],
        )
        for invariant in INVARIANTS
    ]


def _choose_generations(
    run_context: RunContext, source_name: str, collection: str
) -> list[Generation]:
    """What searches see; in a run also what it has just worked on.

    One that failed in this run, or was left to the next one, is incomplete, and must not hold back
    what is served.
    """
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection)
    if run_context.holds_source(source_name):
        paused = {key for name, key in run_context.paused if name == source_name}
        return [one for one in generations if one.id not in paused | run_context.failures.keys()]
    return [one for one in generations if one.state == "live"]


def _find_broken(
    run_context: RunContext,
    source_name: str,
    invariant: Invariant,
    generation: Generation,
    turn_of_parts: tuple[int, int],
) -> list[Broken]:
    turn, parts = turn_of_parts
    statement = load_generation_statement(invariant.statement, generation.id)
    parameters = {
        "source": source_name,
        "generation_id": generation.id,
        "parts": parts,
        "part": turn % parts,
    }
    with run_context.database.connect() as connection:
        return [Broken(**row) for row in connection.execute(statement, parameters).mappings()]
