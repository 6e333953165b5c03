"""A branch of a repository, kept as a bare repository in a source's folder.

The mirror may vanish or break at any time: it is then made anew. Several processes may use one
at once: they take turns in changing it, and a change takes away nothing that another one reads.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import IO, NamedTuple, TypeVar

from filelock import FileLock

from ragline.errors import DiskFullError
from ragline.sources.git.program import GitCommandError, GitProgram
from ragline.storage.disk_errors import NO_SPACE, describe_full_disk, writing_to

T = TypeVar("T")
KEPT = "refs/ragline/branch"
ATTEMPTS = 4
ASKING_S = 60.0
FETCHING_S = 3600.0
NAME_FILE = "ragline-name"
FILE_MODES = (b"100644", b"100755")


class MirrorBrokenError(GitCommandError):
    """The mirror vanished, or lacks a part; the repository itself may be whole."""


class Blob(NamedTuple):
    """The content of a file, by its id, and its size."""

    blob_id: str
    size_bytes: int


class Change(NamedTuple):
    """When the branch got a commit that changed a path: seconds since 1970."""

    path: bytes
    committed_s: int


@dataclass(frozen=True)
class GitMirror:
    """One branch of the repository at `uri`; `branch` None is the one that its HEAD names."""

    program: GitProgram
    home: Path
    uri: str
    branch: str | None

    def find_commit(self) -> str:
        """The branch's commit, asked of the repository itself: one round trip.

        Raises:
            GitCommandError: it does not answer, or has no such branch.
        """
        answer = self.program.run(
            *("ls-remote", "--", self.uri, self._ref),
            timeout_s=ASKING_S,
            advice="check uri and credentials",
        )
        for line in answer.decode("utf-8", "replace").splitlines():
            commit, _, ref = line.partition("\t")
            if ref == self._ref:
                return commit
        if self.branch is None:
            raise GitCommandError("its HEAD names no branch that exists; name one with `branch`")
        raise GitCommandError(f"there is no branch {self.branch!r}; name another with `branch`")

    def update(self, *, mistrusted: str | None = None) -> str:
        """Fetch the branch and return its commit.

        A mirror that could not be read is `mistrusted`, by its name, and made anew, unless
        another process has done so by now.

        Raises:
            GitCommandError: the repository does not answer, or has no such branch.
            DiskFullError: there is no space for the mirror.
            OSError: the folder cannot be written to.
        """
        commit = self.find_commit()
        with writing_to(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
        with writing_to(self.home), FileLock(self.home / "mirror.lock", timeout=FETCHING_S):
            is_mistrusted = mistrusted is not None and mistrusted == self.read_name()
            if is_mistrusted or not self._try_fetch(commit):
                self._make()
            return self._kept_commit()

    def persist(self, read: Callable[[str | None], T]) -> T:
        """What `read` gives, which is called again when the mirror breaks under it.

        `read` is told the name of the mirror to mistrust, for `update`.

        Raises:
            MirrorBrokenError: the mirror broke each time.
        """
        mistrusted = None
        for _ in range(ATTEMPTS - 1):
            name = self.read_name()
            try:
                return read(mistrusted)
            except MirrorBrokenError:
                # One of another name is another process's, or new: it is looked at first.
                mistrusted = name if name == self.read_name() else None
        return read(mistrusted)

    def read_name(self) -> str:
        """A name of the mirror that is there now; a mirror made anew has another one."""
        try:
            return (self._folder / NAME_FILE).read_text(encoding="utf-8")
        except OSError:
            return ""

    def list_tree(self, commit: str) -> dict[bytes, Blob]:
        """The files of a commit by path, in Git's order; no links and no submodules.

        Raises:
            MirrorBrokenError: the mirror lacks the commit or a part of it.
        """
        output = self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        return dict(_read_tree(output))

    def list_changes(self, old: str, new: str) -> list[list[Change]] | None:
        """What each commit of the branch after `old` changed, the newest first.

        A merge counts as one commit of the branch. None when `new` does not build on `old`.
        """
        try:
            self._run("merge-base", "--is-ancestor", old, new)
        except MirrorBrokenError:
            return None
        shape = ("--first-parent", "-m", "--no-renames", "--raw", "-z", "--format=%ct")
        return _read_log(self._run("log", *shape, f"{old}..{new}", "--"))

    def read_committed_s(self, commit: str) -> int:
        """When a commit was made: seconds since 1970."""
        return int(self._run("log", "-1", "--format=%ct", commit, "--"))

    def read_blobs(self, blob_ids: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the bytes of each blob in turn; None for one that the mirror lacks.

        Ends early when the mirror cannot be read.
        """
        process = self.program.start(*self._place, "cat-file", "--batch")
        try:
            for blob_id in blob_ids:
                yield _ask(process, blob_id)
        except (MirrorBrokenError, OSError):
            return
        finally:
            process.kill()
            process.communicate()

    @property
    def _ref(self) -> str:
        return "HEAD" if self.branch is None else f"refs/heads/{self.branch}"

    @property
    def _folder(self) -> Path:
        return self.home / "mirror"

    @property
    def _place(self) -> tuple[str, str]:
        # Stated, so that git does not look for a repository in the folders above.
        return ("--git-dir", os.fspath(self._folder))

    def _run(self, *arguments: str) -> bytes:
        try:
            return self.program.run(*self._place, *arguments)
        except GitCommandError as error:
            raise MirrorBrokenError(str(error)) from error

    def _kept_commit(self) -> str:
        return self._run("rev-parse", "--verify", KEPT).decode().strip()

    def _try_fetch(self, commit: str) -> bool:
        """Whether the mirror now has the commit, or a later one."""
        try:
            if self._kept_commit() != commit:
                self._fetch(self._folder)
        except GitCommandError:
            return False
        return True

    def _fetch(self, folder: Path) -> None:
        try:
            self.program.run(
                *("--git-dir", os.fspath(folder), "fetch", "--quiet", "--force", "--no-tags"),
                *("--no-write-fetch-head", "--no-recurse-submodules"),
                *("--", self.uri, f"+{self._ref}:{KEPT}"),
                timeout_s=FETCHING_S,
            )
        except GitCommandError as error:
            if NO_SPACE in str(error):
                raise DiskFullError(describe_full_disk(folder)) from error
            raise

    def _make(self) -> None:
        """Fetch into a new folder and put it in place; readers of the old one keep their files."""
        for left_over in self.home.glob("new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        name = uuid.uuid4().hex
        made = self.home / f"new-{name}"
        try:
            self.program.run("init", "--quiet", "--bare", "--template=", os.fspath(made))
            (made / NAME_FILE).write_text(name, encoding="utf-8")
            self._fetch(made)
            shutil.rmtree(self._folder, ignore_errors=True)
            made.rename(self._folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _read_tree(output: bytes) -> Iterator[tuple[bytes, Blob]]:
    for line in output.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, blob_id, size = about.split()
        if mode in FILE_MODES:
            if not size.isdigit():
                # Git writes BAD and ends as if nothing were wrong.
                raise MirrorBrokenError(f"the mirror lacks {blob_id.decode()}")
            yield path, Blob(blob_id.decode(), int(size))


def _read_log(output: bytes) -> list[list[Change]]:
    commits: list[list[Change]] = []
    committed_s = 0
    parts = iter(output.split(b"\0"))
    for part in parts:
        said = part.strip()
        if said.startswith(b":"):
            commits[-1].append(Change(next(parts), committed_s))
        elif said:
            committed_s = int(said)
            commits.append([])
    return commits


def _ask(process: Popen[bytes], blob_id: str) -> bytes | None:
    """What `cat-file --batch` answers; None when it knows no such blob."""
    asked, answers = _pipes(process)
    asked.write(blob_id.encode() + b"\n")
    asked.flush()
    head = answers.readline()
    if head.endswith(b" missing\n"):
        return None
    found = re.fullmatch(rb"[0-9a-f]+ blob (\d+)\n", head)
    content = answers.read(int(found[1]) + 1) if found else b""
    if not found or len(content) != int(found[1]) + 1:
        raise MirrorBrokenError("git stopped in the middle of its answer")
    return content[:-1]


def _pipes(process: Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
