"""The definitions of the code location: everything that Dagster loads for a configuration.

To load them, Dagster reads the configuration, but no database and no model.
"""

from __future__ import annotations

import dagster

from assets.factory import build_assets, build_checks
from assets.run_context import RunContextResource
from dagster_project.jobs import build_jobs
from dagster_project.schedules import build_schedules
from dagster_project.sensors import build_sensors
from ragline.configuration import Configuration
from ragline.configuration.last_valid import load_last_valid


def build_definitions(
    configuration: Configuration, *, run_context: dagster.ResourceDefinition | None = None
) -> dagster.Definitions:
    """Build the definitions of a configuration. `run_context` replaces the default resource.

    All steps of a run share one process. So a run loads a model only once, and no step has to wait
    for the start of a process.
    """
    return dagster.Definitions(
        assets=build_assets(configuration),
        asset_checks=build_checks(configuration),
        jobs=build_jobs(configuration),
        schedules=build_schedules(configuration),
        sensors=build_sensors(configuration),
        resources={
            "run_context": run_context or RunContextResource(config_path=str(configuration.path)),
        },
        executor=dagster.in_process_executor,
    )


@dagster.definitions
def defs() -> dagster.Definitions:
    """The definitions of the configuration of RAGLINE_CONFIG, or of ./ragline.yaml.

    Each run loads them in its own process. If the file has an error, the last valid content of the
    file is used.
    """
    configuration, _ = load_last_valid()
    return build_definitions(configuration)
