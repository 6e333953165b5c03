"""Dagster's own storage: settings written under RAGLINE_HOME, events in the same Postgres."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance

from ragline.configuration import Configuration
from ragline.storage.database import Database

URL_VARIABLE = "RAGLINE_DAGSTER_URL"
SETTINGS = f"""\
# Written by Ragline at each start; edit dagster_project/instance.py instead.
telemetry: {{enabled: false}}
nux: {{enabled: false}}
storage: {{postgres: {{postgres_url: {{env: {URL_VARIABLE}}}}}}}
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
run_monitoring: {{enabled: true, poll_interval_seconds: 30}}
sensors: {{use_threads: true, num_workers: 4}}
"""


def prepare_instance(configuration: Configuration, database: Database) -> dict[str, str]:
    """Write the settings of Dagster's instance; return the environment that points to them.

    The address stays in the environment: a password does not belong in a file.
    """
    folder = configuration.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".dagster.yaml.{os.getpid()}"
    unfinished.write_text(SETTINGS, encoding="utf-8")
    unfinished.replace(folder / "dagster.yaml")
    return {
        "DAGSTER_HOME": str(folder),
        URL_VARIABLE: database.dagster_url,
        "RAGLINE_CONFIG": str(configuration.path),
    }


@contextmanager
def open_instance(configuration: Configuration, database: Database) -> Iterator[DagsterInstance]:
    """Dagster's instance over the configuration's database, for runs in this process."""
    os.environ.update(prepare_instance(configuration, database))
    with DagsterInstance.from_config(str(Path(os.environ["DAGSTER_HOME"]))) as instance:
        yield instance
