"""A full disk by name: Python's own error often does not say which file could not be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragline.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT)
# How other programs say it.
NO_SPACE = "No space left on device"


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
