"""Finds out whether a path is on a network file system.

The operating system reports only the changes that its own processes make. So it does not report
the changes of other machines in a network file system.
"""

from __future__ import annotations

import os

NETWORK_TYPES = frozenset(
    {
        "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.davfs2",
        "fuse.gcsfuse", "fuse.glusterfs", "fuse.mount-s3", "fuse.rclone", "fuse.s3fs",
        "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "smb2",
        "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "fuse.vmhgfs-fuse",
    }
)  # fmt: skip


def find_network_type(path: str) -> str | None:
    """Return the type of the network file system of a path, such as `nfs4`.

    The result is None for a local file system, and if the type cannot be found out.
    """
    import psutil  # a process that watches no folder does not need it

    real = os.path.realpath(path)
    best, found = "", None
    for mount in psutil.disk_partitions(all=True):
        point = mount.mountpoint
        is_above = real == point or real.startswith(point.rstrip("/") + "/")
        # A later mount at the same point hides an earlier one.
        if is_above and len(point) >= len(best):
            best, found = point, mount.fstype
    return found if found in NETWORK_TYPES else None
