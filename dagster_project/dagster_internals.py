"""Names from Dagster's private modules. No other module imports them; a test checks this.

A minor release of Dagster may move or change them. After an upgrade, this module and the classes
that use it (`sync_command_instance`, `pooled_storage`) are the first to check.
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

# Modules that are named in settings and commands.
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
