"""A repository on this machine with two files on its branch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragline.storage.database import Database

PERSON = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost"}
PERSON |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}


class Case:
    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        (self.repository / "b.txt").write_text("beta", encoding="utf-8")
        self._commit("alpha")
        self.settings: dict[str, Any] = {"uri": str(self.repository)}

    def edit(self) -> None:
        self._commit("gamma!")

    def empty(self) -> None:
        self._git("rm", "-r", "--quiet", ".")
        self._git("commit", "--quiet", "--message", "nothing")

    def restore(self) -> None:
        self._git("revert", "--no-edit", "HEAD")

    def go_away(self) -> None:
        self.repository.rename(self.repository.with_name("elsewhere"))

    def _commit(self, text: str) -> None:
        (self.repository / "a.txt").write_text(text, encoding="utf-8")
        self._git("add", ".")
        self._git("commit", "--quiet", "--message", text)

    def _git(self, *arguments: str) -> None:
        environment = os.environ | PERSON
        subprocess.run(["git", *arguments], cwd=self.repository, env=environment, check=True)


@contextmanager
def start(folder: Path, database: Database) -> Iterator[Case]:  # noqa: ARG001
    yield Case(folder)
