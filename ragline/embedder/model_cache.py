"""Files made from a model once and kept: written whole or not at all.

What is made, and from what, is `exported_model` and `tokenizer`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ragline.storage.disk_errors import writing_to


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: a reader sees all of it or no file.

    Two writers may race; the last one wins with the same content. A writer that is killed
    leaves a file whose name starts with a dot and that nothing reads.

    Raises:
        DiskFullError: there is no space for it.
    """
    with writing_to(path):
        _write_atomically(path, content)


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        Path(name).chmod(0o644)  # mkstemp's 0600 would shut out another user of this cache
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
