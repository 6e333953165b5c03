"""The generations that this process knows. A search uses one of them and checks it meanwhile.

A search needs the properties of its generation before it can embed the query. It takes them from
here, and reads them again in the same transaction in which it reads the entries. If they have
changed, the search starts again. So it follows a promotion at once, although it does not wait for
the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ragline.search.live_generation import LiveGeneration
from ragline.storage.pipelines import Answer, Pipeline, Row
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class AskedGeneration:
    """Which generation a search asks for: the live one, or the one with this id.

    `tenant` and `is_complete` are described in `live_generation`.
    """

    collection: str
    tenant: str | None = None
    generation_id: int | None = None
    is_complete: bool = False

    def send(self, pipeline: Pipeline) -> Answer:
        """Send the statement that selects the properties of the generation."""
        parameters: dict[str, object] = {"collection": self.collection, "tenant": self.tenant}
        if self.generation_id is None:
            return pipeline.send(load_statement("search/select_live_generation"), parameters)
        parameters |= {"generation_id": self.generation_id, "is_complete": self.is_complete}
        return pipeline.send(load_statement("search/select_generation"), parameters)


class KnownGenerations:
    """The properties of generations as they were read last. Several threads can use it."""

    def __init__(self) -> None:
        self._known: dict[AskedGeneration, LiveGeneration] = {}

    def find(self, asked: AskedGeneration) -> LiveGeneration | None:
        """Return the generation as it was read last, or None if it was not read yet."""
        return self._known.get(asked)

    def store(self, asked: AskedGeneration, generation: LiveGeneration) -> None:
        """Store a generation that was read from the database."""
        self._known[asked] = generation

    def confirm(
        self, asked: AskedGeneration, used: LiveGeneration, row: Row | None
    ) -> LiveGeneration | None:
        """Compare the generation that a search uses with its row, and store what was read.

        Returns the generation with the present number of entries, or None if the search must start
        again.
        """
        if row is None or row["id"] is None:
            self._known.pop(asked, None)
            return None
        read = LiveGeneration(**row)
        if _is_equal(read, used):
            return used
        self._known[asked] = read
        return read if _is_equal(replace(read, entry_count=used.entry_count), used) else None


def _is_equal(first: LiveGeneration, second: LiveGeneration) -> bool:
    """Compare all properties. The operator == leaves out some of them."""
    return first == second and (first.calibrations, first.released) == (
        second.calibrations,
        second.released,
    )
