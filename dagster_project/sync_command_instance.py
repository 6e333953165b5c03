"""The Dagster instance of `ragline sync`.

The runs of this instance belong to the code location of the UI.

Dagster records no code location for a run in the caller's process. So the UI would show such a run
neither in the timeline nor in the history of its job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import DagsterInstance, DagsterRun, Field

from dagster_project.dagster_internals import (
    GrpcServerCodeLocationOrigin,
    InstanceRef,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

# The code location's name in `workspace.yaml` and in `ragline dev`.
LOCATION = "ragline"
REPOSITORY = "__repository__"
HOST = "127.0.0.1"


class CommandInstance(DagsterInstance):
    """An instance that records the code location of the UI for its runs."""

    @classmethod
    def config_schema(cls) -> Mapping[str, Field]:
        """An empty schema, because this class has no settings of its own."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, Any]:
        """The defaults that Dagster gives to every instance."""
        return InstanceRef.config_defaults(base_dir)

    def create_run_for_job(self, *arguments: Any, **options: Any) -> DagsterRun:
        """Create a run as the base class does, and add the job's origin if it is missing."""
        job = options["job_def"]
        options.setdefault("remote_job_origin", locate_job(job.name))
        return super().create_run_for_job(*arguments, **options)


def locate_job(name: str) -> RemoteJobOrigin:
    """Return the origin that the UI expects in the runs of a job.

    The UI compares only the names in an origin. So the address in it need not exist.
    """
    server = GrpcServerCodeLocationOrigin(host=HOST, port=0, location_name=LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(server, REPOSITORY), name)
