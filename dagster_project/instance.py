"""Dagster's own storage: settings written under RAGLINE_HOME, events in the same Postgres."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance

from ragline.configuration import Configuration
from ragline.storage.database import Database
from ragline.storage.disk_errors import writing_to

# Not RAGLINE_DAGSTER_URL: that is the address of the UI, which the page shows.
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
# Two runs at once, and never two of one source: what the second would find, the first is doing.
QUEUE = """\
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
    dequeue_interval_seconds: 1
    tag_concurrency_limits:
      - {key: ragline/source, value: {applyLimitPerUniqueValue: true}, limit: 1}
"""
# A run on somebody's terminal starts at once, and its output is theirs: capturing it would turn
# the bars into lines and cost two processes a step.
IN_PROCESS = """\
instance_class:
  module: dagster_project.command_instance
  class: CommandInstance
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
DAEMON_FILE = "dagster.yaml"
IN_PROCESS_FILE = "in_process.yaml"


def prepare_instance(configuration: Configuration, database: Database) -> dict[str, str]:
    """Write the settings of Dagster's instance; return the environment that points to them.

    The address stays in the environment: a password does not belong in a file.
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
    """Dagster's instance over the configuration's database, for runs in this process."""
    with _environment(prepare_instance(configuration, database)):
        folder = str(configuration.home / "dagster")
        with DagsterInstance.from_config(folder, IN_PROCESS_FILE) as instance:
            yield instance


def _write(path: Path, content: str) -> None:
    """Write a file that other processes may be reading: whole, or not yet."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Dagster reads its address from the environment; what was there comes back afterwards."""
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
