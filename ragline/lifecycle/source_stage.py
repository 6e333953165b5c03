"""One stage of a sync for one source: its generations, its remaining work, and its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ragline.lifecycle.build_interruptions import make_pause_check
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.ledger import register_source
from ragline.lifecycle.open_generations import OpenGenerations, open_generations
from ragline.lifecycle.run_context import RunContext
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class Stage:
    """One source in a run, and the generations that a stage works on for it."""

    run_context: RunContext
    source_name: str
    source_id: int
    generations: OpenGenerations

    def is_background_build(self, generation: Generation) -> bool:
        """Return whether searches use another generation while the stage works on this one."""
        return self.generations.is_background_build(generation)

    def make_pause_check(self, generation: Generation) -> Callable[[], bool]:
        """Return a function that says whether to leave a generation's build to the next run.

        For the live generation, the returned function always returns False. While the collection
        has no live generation, it also returns False, because no search could show a change.
        """
        if not self.is_background_build(generation):
            return lambda: False
        return make_pause_check(self.run_context, self.source_name, generation.id)

    def count(self, statement: str, parameters: dict[str, object]) -> int:
        """Return the number that a statement returns. `statement` is its name in `sql/queries`."""
        with self.run_context.database.connect() as connection:
            return int(connection.execute(load_statement(statement), parameters).scalar_one())

    def index_parameters(self, generation: Generation) -> dict[str, object]:
        """Return the parameters that the statements of the stages `embed` and `index` share."""
        return {
            "source_id": self.source_id,
            "generation_id": generation.id,
            "chunker_fingerprint": generation.chunker_fingerprint,
            "embedding_space_id": generation.embedding_space_id,
        }

    def show_batches(
        self, batches: Iterable[int], title: str, *, total: int | None, unit: str
    ) -> None:
        """Do batches of work and show the progress under a title.

        Each item of `batches` is the number of units that one batch has done.
        """
        name = f"{self.source_name}: {title}"
        with self.run_context.progress.stage(name, total=total, unit=unit) as advance:
            for count in batches:
                advance(count)


def open_stage(run_context: RunContext, source_name: str) -> Stage:
    """Open a source and the generations of its collection for one stage.

    Raises:
        ConfigurationError: the settings cannot be satisfied and the collection has no live
            generation; or the source was synced into another collection.
    """
    settings = run_context.configuration.source(source_name)
    run_context.lineage.start_source(source_name)
    generations = open_generations(run_context, settings.collection)
    with run_context.database.begin() as connection:
        source_id = register_source(connection, settings).id
    return Stage(run_context, source_name, source_id, generations)
