"""Invariants between the ledger and the entries of a generation.

Each invariant has a statement that returns the documents that violate it. If the result is empty,
the invariant holds. `sync_proof` also compares the ledger with the source, and starts the repair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragline.lifecycle.generations import Generation, list_generations
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement

MAX_NAMED_DOCUMENTS = 20
# A live generation with more entries is checked in parts. Each check compares a different part.
MAX_PART_ENTRIES = 50_000


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule in words. The SQL statement `name` finds the documents that violate the rule."""

    name: str
    description: str

    @property
    def statement(self) -> str:
        return f"checks/{self.name}"


INVARIANTS = (
    Invariant(
        "ready_documents_without_entries",
        "Every ready document has entries in the live generation.",
    ),
    Invariant(
        "entries_without_chunk",
        "Every entry belongs to a chunk of its document, with the same text.",
    ),
    Invariant("zero_vectors", "No entry has a vector of length zero, which no search can find."),
    Invariant(
        "entries_without_embedding",
        "Every entry has the stored vector of its text.",
    ),
    Invariant(
        "entries_of_gone_documents",
        "No removed or refused document has an entry.",
    ),
    Invariant(
        "stale_entries",
        "Every entry has the content hash, the metadata and the principals that the ledger has.",
    ),
    Invariant(
        "miscounted_placements",
        "Each document has as many entries as were written for it.",
    ),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """A document that violates an invariant. The ledger can lack a row with `document_key`."""

    document_id: str
    document_key: int


@dataclass(frozen=True, slots=True)
class InvariantResult:
    """Whether an invariant holds in every checked generation, and the documents that violate it."""

    invariant: Invariant
    violations: Sequence[Violation]

    @property
    def holds(self) -> bool:
        return not self.violations

    @property
    def documents(self) -> list[str]:
        """The ids of documents that violate the invariant, sorted, at most MAX_NAMED_DOCUMENTS."""
        return sorted({one.document_id for one in self.violations})[:MAX_NAMED_DOCUMENTS]


def count_index_parts(generation: Generation, *, in_full: bool = False) -> int:
    """Return the number of parts in which a generation is checked.

    It is 1 if `in_full` is set, or if the generation is not live.
    """
    if in_full or generation.state != "live":
        return 1
    return -(-generation.entry_count // MAX_PART_ENTRIES) or 1


def check_invariants(
    run_context: RunContext, source_name: str, *, part_number: int = 0, in_full: bool = True
) -> list[InvariantResult]:
    """Check every invariant on the entries of one source, in the order of INVARIANTS.

    If `in_full` is not set, only one part of a large live generation is checked. It is the part
    `part_number` modulo the number of parts. So calls with consecutive numbers check every
    document.
    """
    settings = run_context.configuration.source(source_name)
    generations = _choose_generations(run_context, source_name, settings.collection)
    return [
        InvariantResult(
            invariant,
            [
                violation
                for generation in generations
                for violation in _find_violations(
                    run_context.database,
                    source_name,
                    invariant,
                    generation,
                    (part_number, count_index_parts(generation, in_full=in_full)),
                )
            ],
        )
        for invariant in INVARIANTS
    ]


def check_generation(
    database: Database, source_name: str, generation: Generation
) -> list[InvariantResult]:
    """Check every invariant on all entries of one source in one generation, live or not."""
    return [
        InvariantResult(
            invariant, _find_violations(database, source_name, invariant, generation, (0, 1))
        )
        for invariant in INVARIANTS
    ]


def _choose_generations(
    run_context: RunContext, source_name: str, collection: str
) -> list[Generation]:
    """Return the generations to check.

    A run that has not locked the source checks the live generation. A run that has locked the
    source checks all generations that it worked on. Two kinds of generations are left out, because
    they are incomplete: those that failed in this run, and those whose build the run left to the
    next run.
    """
    with run_context.database.connect() as connection:
        generations = list_generations(connection, collection)
    if run_context.has_locked(source_name):
        paused = {key for name, key in run_context.paused_builds if name == source_name}
        incomplete = paused | run_context.failures.keys()
        return [one for one in generations if one.id not in incomplete]
    return [one for one in generations if one.state == "live"]


def _find_violations(
    database: Database,
    source_name: str,
    invariant: Invariant,
    generation: Generation,
    part_of_parts: tuple[int, int],
) -> list[Violation]:
    part_number, parts = part_of_parts
    statement = load_generation_statement(invariant.statement, generation.id)
    parameters = {
        "source": source_name,
        "generation_id": generation.id,
        "parts": parts,
        "part": part_number % parts,
    }
    with database.connect() as connection:
        return [Violation(**row) for row in connection.execute(statement, parameters).mappings()]
