"""Writes files of the model cache: a file is written completely or not at all.

`backend_selection` and `tokenizer` make the files.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ragline.storage.disk_errors import writing_to


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: a reader sees the complete file or no file.

    Two processes can write the same file at the same time. They write the same content, and the
    file that was written last remains. A process that is killed can leave a file whose name starts
    with a dot. No reader opens such a file.

    Raises:
        DiskFullError: there is no space for the file.
    """
    with writing_to(path):
        _write_atomically(path, content)


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        Path(name).chmod(0o644)  # mkstemp sets 0600, with which other users could not read the file
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
