"""The resource that gives assets the `RunContext` of the library. Each run has one."""

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
    """The resource that opens the run context of the configuration file `config_path`."""

    config_path: str

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[RunContext]:
        """Open the database and the run context of one run.

        If the configuration file is invalid, the run uses the last valid configuration.
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
