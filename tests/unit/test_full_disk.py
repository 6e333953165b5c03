"""A full disk has its own error, which names the path. A write to /dev/full always fails."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ragline.embedder.atomic_files import write_atomically
from ragline.errors import DatabaseUnavailableError, DiskFullError
from ragline.storage.disk_errors import writing_to
from ragline.storage.embedded_postgres import embedded_postgres

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def refuse(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_write_without_space_names_the_path_and_what_to_do() -> None:
    path = Path("/somewhere/file")
    with (
        pytest.raises(DiskFullError, match=r"disk of /somewhere/file.*free space.*disk-full\.md"),
        writing_to(path),
        Path("/dev/full").open("w") as file,
    ):
        file.write("text")


def test_other_errors_of_a_write_are_not_changed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), writing_to(tmp_path):
        (tmp_path / "nothing" / "file").write_text("text")


def test_full_disk_names_the_path_of_a_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskFullError, match=r"tokenizer\.json"):
        write_atomically(tmp_path / "tokenizer.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_home_without_space_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(DiskFullError, match=str(tmp_path)) as caught,
        embedded_postgres(tmp_path / "home"),
    ):
        pass
    # A caller that waits for the database handles it as an unavailable one.
    assert isinstance(caught.value, DatabaseUnavailableError)


def test_command_names_a_full_disk_without_a_path() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ragline", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no space left" in done.stderr
