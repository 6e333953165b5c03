"""The definitions of the code location: all that Dagster loads for a configuration.

Loading reads only the configuration, no database and no model.
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
    """The definitions of a configuration; `run_context` replaces the resource.

    All steps of a run share one process. So a run loads a model once, and a small change starts no
    further process.
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
    """The definitions of the configuration of RAGLINE_CONFIG, or of the working directory.

    Each run loads them in its own process. If the file has a fault, the last valid one is used.
    """
    configuration, _ = load_last_valid()
    return build_definitions(configuration)
