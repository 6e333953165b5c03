"""The resource that hands the library's `RunContext` to assets: opened once a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import ConfigurableResource, InitResourceContext

from assets.process_tags import process_tags
from ragline.configuration.last_valid import load_last_valid
from ragline.lifecycle.run_context import RunContext
from ragline.storage.database import open_database


class RunContextResource(ConfigurableResource[RunContext]):
    """Settings, database and models of a run, named by its configuration file."""

    config_path: str

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[RunContext]:
        """Open the database for one run; models are loaded when a stage needs them.

        While the file has a fault, a run goes on with the last configuration that loaded.
        """
        configuration, fault = load_last_valid(Path(self.config_path))
        assert context.run is not None
        assert context.instance is not None
        context.instance.add_run_tags(context.run.run_id, process_tags())
        with (
            open_database(configuration) as database,
            RunContext(
                configuration, database, context.run.run_id, configuration_fault=fault
            ) as run_context,
        ):
            yield run_context
