"""Dagster's instance: its settings are files under RAGLINE_HOME, its storage is Ragline's Postgres.

This module also ends the runs whose process died.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from assets.process_tags import FORMER_PROCESS_TAG, PROCESS_TAG, is_process_gone
from dagster_project.dagster_internals import NO_COMPUTE_LOGS_MODULE, RUN_COORDINATOR_MODULE
from ragline.configuration import Configuration
from ragline.storage.database import Database
from ragline.storage.disk_errors import writing_to

# The variable with the address of Dagster's storage. RAGLINE_DAGSTER_URL is another variable. It
# has the address of Dagster's UI.
URL_VARIABLE = "RAGLINE_DAGSTER_STORAGE_URL"
SETTINGS = f"""\
# Written by Ragline at each start; edit dagster_project/instance.py instead.
telemetry: {{enabled: false}}
nux: {{enabled: false}}
storage:
  custom:
    module: dagster_project.pooled_storage
    class: PooledStorage
    config: {{postgres_url: {{env: {URL_VARIABLE}}}}}
run_monitoring: {{enabled: true, poll_interval_seconds: 30}}
sensors: {{use_threads: true, num_workers: 4}}
"""
# The tag that names the source of a run.
SOURCE_TAG = "ragline/source"
# At most two runs execute at the same time, and at most one of each source. A second run of a
# source would find the same changes.
QUEUE = f"""\
run_coordinator:
  module: {RUN_COORDINATOR_MODULE}
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
    dequeue_interval_seconds: 1
    tag_concurrency_limits:
      - {{key: {SOURCE_TAG}, value: {{applyLimitPerUniqueValue: true}}, limit: 1}}
"""
# A run of the command line starts at once and writes to the terminal. If Dagster captured its
# output, the progress bars would break and two more processes would start for each step.
IN_PROCESS = f"""\
instance_class:
  module: dagster_project.sync_command_instance
  class: CommandInstance
compute_logs:
  module: {NO_COMPUTE_LOGS_MODULE}
  class: NoOpComputeLogManager
"""
DAEMON_FILE = "dagster.yaml"
IN_PROCESS_FILE = "in_process.yaml"
UNFINISHED_STATUSES = [
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def prepare_instance(configuration: Configuration, database: Database) -> dict[str, str]:
    """Write the settings of Dagster's instance; return the environment variables that name them.

    The address of the database contains a password. So it is in the environment and in no file.
    """
    folder = configuration.home / "dagster"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / DAEMON_FILE, SETTINGS + QUEUE)
        _write(folder / IN_PROCESS_FILE, SETTINGS + IN_PROCESS)
    return {
        "DAGSTER_HOME": str(folder),
        URL_VARIABLE: database.dagster_url,
        "RAGLINE_CONFIG": str(configuration.path),
        "RAGLINE_HOME": str(configuration.home),
    }


@contextmanager
def open_instance(configuration: Configuration, database: Database) -> Iterator[DagsterInstance]:
    """Open Dagster's instance for runs in this process. Its storage is in `database`."""
    with _environment(prepare_instance(configuration, database)):
        folder = str(configuration.home / "dagster")
        with DagsterInstance.from_config(folder, IN_PROCESS_FILE) as instance:
            yield instance


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark unfinished runs as failed if their process on this machine died. Return their ids."""
    unfinished = instance.get_runs(filters=RunsFilter(statuses=UNFINISHED_STATUSES))
    dead = [run for run in unfinished if is_process_gone(_read_process(run))]
    for run in dead:
        instance.report_run_failed(run, "The process of this run died; sync again to finish it.")
    return [run.run_id for run in dead]


def _read_process(run: DagsterRun) -> str:
    return run.tags.get(PROCESS_TAG) or run.tags.get(FORMER_PROCESS_TAG, "")


def _write(path: Path, content: str) -> None:
    """Replace a file in one step, because another process can be reading it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set the environment variables that Dagster reads. Restore the old values at the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
