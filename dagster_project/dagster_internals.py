"""Names from Dagster's private modules. A test checks that no other module imports such names.

A minor release of Dagster can move or change them. After an upgrade, first check this module and
the modules that use it (`sync_command_instance`, `pooled_storage`).
"""

from __future__ import annotations

from dagster._core.definitions.metadata import normalize_metadata
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._serdes import ConfigurableClassData
from dagster_shared.error import SerializableErrorInfo

# The paths of modules that `dagster.yaml` names or that a command starts.
DAEMON_MODULE = "dagster._daemon"
RUN_COORDINATOR_MODULE = "dagster._core.run_coordinator"
NO_COMPUTE_LOGS_MODULE = "dagster._core.storage.noop_compute_log_manager"

__all__ = [
    "DAEMON_MODULE",
    "NO_COMPUTE_LOGS_MODULE",
    "RUN_COORDINATOR_MODULE",
    "ConfigurableClassData",
    "GrpcServerCodeLocationOrigin",
    "InstanceRef",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "SerializableErrorInfo",
    "UnresolvedAssetJobDefinition",
    "normalize_metadata",
]
