"""Raises errors of a full disk that name the path. Python's own error often does not name it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragline.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
# The message of other programs on a full disk.
NO_SPACE = "No space left on device"

# Postgres writes its write-ahead log in files of 16 MiB, and stops if it cannot create the next
# one.
MIN_FREE_BYTES = 20 * 1024**2


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Name the path in the error if a write in the block finds no space.

    Raises:
        DiskFullError: the disk or the user's quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFullError(describe_full_disk(path)) from error


def describe_full_disk(path: Path) -> str:
    """Return a message that names the full disk and the remedy."""
    return (
        f"no space left on the disk of {path}, which could not be written; free space there, then "
        "run the command again (docs/runbooks/disk-full.md)"
    )


def has_room(folder: Path, min_bytes: int = MIN_FREE_BYTES) -> bool:
    """Whether this many bytes are free on the disk of a folder."""
    try:
        disk = os.statvfs(folder)
    except OSError:  # the folder does not exist, which is another error
        return True
    return disk.f_bavail * disk.f_frsize >= min_bytes


def is_full(folder: Path, min_bytes: int = MIN_FREE_BYTES) -> bool:
    """Whether the disk has too little space for Postgres.

    A test file is written, because this also detects a quota.
    """
    if not has_room(folder, min_bytes):
        return True
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            probe.write(b"0" * 65_536)
    except OSError as error:
        return error.errno in FULL
    return False


def find_mount(folder: Path) -> Path:
    """Return the mount point of the disk of a folder."""
    mount = folder.resolve()
    while not mount.is_mount():
        mount = mount.parent
    return mount
