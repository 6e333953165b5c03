"""Small file systems that a test fills, as a full disk."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mount_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a disk at a new folder. Skip the test if this user may not mount file systems."""
    folder.mkdir(parents=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("there is no program `mount` here")
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(disk: Path, left_bytes: int = 0) -> Path:
    """Write a file until this much space is left, and return its path."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while (missing := shutil.disk_usage(disk).free - left_bytes) > 0:
            file.write(b"0" * min(missing, 65_536))
    return ballast
