"""Files that a command writes for its caller: the type of their options, and how they are written.

`ragline export` writes its file itself, because the entries do not fit into memory.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from ragline.errors import FileNotWrittenError

# These paths are streams of a process. They are not replaced, also if they lead to a file.
STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")


class OutputFile(click.Path):
    """The type of an option that names a file to write.

    A path that cannot be written is refused before the command does any work.
    """

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        fault = find_fault(path)
        if fault is not None:
            self.fail(f"cannot write {path}: {fault}", param, ctx)
        return path


def find_fault(path: Path) -> str | None:
    """Return why a file cannot be written, with the remedy. None if it can be written.

    A temporary file is created in the folder, because only this detects all obstacles.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}; create it, or name another file"
    try:
        if path.exists() and not os.access(path, os.W_OK):
            return "it exists and is read-only; name another file"
        if not _is_stream(path):
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
    except OSError as error:
        return f"{error.strerror} in the folder {folder}; name another file"
    return None


def write_output(path: Path, text: str) -> None:
    """Write a file in one step. A reader sees the old content or the new one.

    Raises:
        FileNotWrittenError: the file could not be written. The old file is unchanged.
    """
    try:
        if _is_stream(path):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileNotWrittenError(f"{path} could not be written: {reason}") from error


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{secrets.token_hex(8)}.unfinished")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    is_special = path.exists() and not path.is_file()
    return is_special or str(path.absolute()).startswith(STREAMS)
