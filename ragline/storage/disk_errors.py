"""A full disk by name: Python's own error often does not say which file could not be written."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragline.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
# How other programs say it.
NO_SPACE = "No space left on device"

# Postgres writes its log in files of 16 MiB, and ends without room for the next one.
LEAST_FREE_BYTES = 20 * 1024**2


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Name the path when there is no space to write what the block writes.

    Raises:
        DiskFullError: the disk, or the user's quota on it, is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFullError(describe_full_disk(path)) from error


def describe_full_disk(path: Path) -> str:
    """What is full, and what to do."""
    return (
        f"no space left on the disk of {path}, which could not be written; free space there, then "
        "run the command again (docs/runbooks/disk-full.md)"
    )


def has_room(folder: Path, least: int = LEAST_FREE_BYTES) -> bool:
    """Whether so many bytes are free on the disk of a folder."""
    try:
        disk = os.statvfs(folder)
    except OSError:  # the folder is gone: another fault
        return True
    return disk.f_bavail * disk.f_frsize >= least


def is_full(folder: Path, least: int = LEAST_FREE_BYTES) -> bool:
    """Whether Postgres and Ragline lack the room that they need; a quota shows when one writes."""
    if not has_room(folder, least):
        return True
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            probe.write(b"0" * 65_536)
    except OSError as error:
        return error.errno in FULL
    return False


def find_mount(folder: Path) -> Path:
    """Where the disk of a folder is mounted."""
    mount = folder.resolve()
    while not mount.is_mount():
        mount = mount.parent
    return mount
