"""The one code location: everything Dagster knows of a configuration.

Loading reads the configuration and touches neither the database nor a model.
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
    """The definitions of a configuration; a test may bring its own run_context.

    Runs are executed in one process: the model is loaded once, and a small change is not slower
    than its work.
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
    """The definitions of the configuration that RAGLINE_CONFIG or the working directory names.

    Each run loads them in a process of its own, also while somebody edits the file.
    """
    configuration, _ = load_last_valid()
    return build_definitions(configuration)
