"""Dagster's instance as the command line uses it: its runs belong to the code location too.

A run that a process makes by itself names no code location, and the UI leaves such a run out of the
timeline and out of the history of its job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterInstance, DagsterRun, Field
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

# What `workspace.yaml` and `ragline dev` call the code location.
LOCATION = "ragline"
REPOSITORY = "__repository__"
HOST = "127.0.0.1"


class CommandInstance(DagsterInstance):
    """An instance whose runs name the code location that the UI shows."""

    @classmethod
    def config_schema(cls) -> Mapping[str, Field]:
        """It has no settings of its own."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, Any]:
        """Those of every instance."""
        return InstanceRef.config_defaults(base_dir)

    def create_run_for_job(self, *arguments: Any, **options: Any) -> DagsterRun:
        """As the base class, with an origin where none is given."""
        job = options["job_def"]
        options.setdefault("remote_job_origin", locate_job(job.name))
        return super().create_run_for_job(*arguments, **options)


def locate_job(name: str) -> RemoteJobOrigin:
    """Where the UI finds a job. Nothing is asked at this address: a run is found by its names."""
    server = GrpcServerCodeLocationOrigin(host=HOST, port=0, location_name=LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(server, REPOSITORY), name)
