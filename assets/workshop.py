"""The resource that hands the library's `Workshop` to assets: opened once a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import ConfigurableResource, InitResourceContext
from pydantic import PrivateAttr

from ragline.configuration import Configuration, load_configuration
from ragline.lifecycle.workshop import Workshop
from ragline.progress import Progress, SilentProgress
from ragline.storage.database import open_database

# Progress cannot pass through a resource's configuration, which Dagster keeps as JSON.
_shown: list[Progress] = [SilentProgress()]


@contextmanager
def showing(progress: Progress) -> Iterator[None]:
    """Show the progress of runs in this process, for the length of a block."""
    _shown.append(progress)
    try:
        yield
    finally:
        _shown.pop()


class WorkshopResource(ConfigurableResource[Workshop]):
    """Settings, database and models of a run, named by its configuration file."""

    config_path: str
    _workshop: Workshop | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Workshop]:
        """Open the database for one run; models are loaded when a stage needs them."""
        configuration: Configuration = load_configuration(Path(self.config_path))
        run_id = context.run_id or "none"
        with open_database(configuration) as database:
            yield Workshop(configuration, database, run_id, _shown[-1])
