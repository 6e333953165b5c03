"""Keeps a mirror: a local copy of one branch, as a bare repository in the folder of the source.

The mirror can be deleted or damaged at any time. It is then created again. Several processes can
use it at the same time. A lock permits one change at a time. A process that reads the mirror during
a change can finish, or it can read again.
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
# The name of the branch in the mirror.
MIRROR_REF = "refs/ragline/branch"
MAX_ATTEMPTS = 4
QUERY_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 3600.0
NAME_FILE = "ragline-name"
# The modes of regular files in a tree of Git. Links and submodules have other modes.
FILE_MODES = (b"100644", b"100755")


class MirrorBrokenError(GitCommandError):
    """The mirror is missing or incomplete.

    The repository from which it is made can still be complete.
    """


class Blob(NamedTuple):
    """The content of a file in Git: its id, and its size."""

    blob_id: str
    size_bytes: int


class Change(NamedTuple):
    """A path that a commit changed, and the time of the commit in seconds since 1970."""

    path: bytes
    committed_s: int


@dataclass(frozen=True)
class GitMirror:
    """The mirror of one branch of the repository at `uri`.

    Without a `branch`, this is the branch to which the repository's HEAD points.
    """

    program: GitProgram
    folder: Path
    uri: str
    branch: str | None

    def find_commit(self) -> str:
        """Ask the repository for the commit of the branch, with one request.

        Raises:
            GitCommandError: the repository does not answer, or has no such branch.
        """
        answer = self.program.run(
            *("ls-remote", "--", self.uri, self._ref),
            timeout_s=QUERY_TIMEOUT_S,
            advice="check uri and credentials",
        )
        for line in answer.decode("utf-8", "replace").splitlines():
            commit, _, ref = line.partition("\t")
            if ref == self._ref:
                return commit
        if self.branch is None:
            raise GitCommandError("the branch of its HEAD does not exist; set `branch`")
        raise GitCommandError(
            f"the branch {self.branch!r} does not exist; set `branch` to another one"
        )

    def update(self, *, broken: str | None = None) -> str:
        """Fetch the branch and return its commit.

        `broken` is the name of a mirror that could not be read. If it is still the current mirror,
        a new one is created.

        Raises:
            GitCommandError: the repository does not answer, or has no such branch.
            DiskFullError: the disk has no space for the mirror.
            OSError: the folder cannot be written to.
        """
        commit = self.find_commit()
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with (
            writing_to(self.folder),
            FileLock(self.folder / "mirror.lock", timeout=FETCH_TIMEOUT_S),
        ):
            is_broken = broken is not None and broken == self.read_name()
            if is_broken or not self._try_fetch(commit):
                self._create()
            return self._read_mirror_commit()

    def read_with_retry(self, read: Callable[[str | None], T]) -> T:
        """Call `read` and return its result. If the mirror breaks during the call, repeat the call.

        `read` receives the name of the broken mirror, or None, and passes it to `update`.

        Raises:
            MirrorBrokenError: the mirror broke during each of MAX_ATTEMPTS calls.
        """
        broken = None
        for _ in range(MAX_ATTEMPTS - 1):
            name = self.read_name()
            try:
                return read(broken)
            except MirrorBrokenError:
                # If the name has changed, another process has created a new mirror. Read that one
                # first.
                broken = name if name == self.read_name() else None
        return read(broken)

    def read_name(self) -> str:
        """The name of the current mirror; "" without a mirror. Each new mirror has another name."""
        try:
            return (self._repository / NAME_FILE).read_text(encoding="utf-8")
        except OSError:
            return ""

    def list_tree(self, commit: str) -> dict[bytes, Blob]:
        """The files of a commit by path, in Git's order. Links and submodules are left out.

        Raises:
            MirrorBrokenError: the mirror lacks the commit or a part of it.
        """
        output = self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        return dict(_read_tree(output))

    def list_changes(self, old: str, new: str) -> list[list[Change]] | None:
        """The changes of each commit of the branch after `old`, up to `new`. The newest is first.

        A merge counts as one commit. The result is None if `old` is not an ancestor of `new`.
        """
        try:
            self._run("merge-base", "--is-ancestor", old, new)
        except MirrorBrokenError:
            return None
        shape = ("--first-parent", "-m", "--no-renames", "--raw", "-z", "--format=%ct")
        return _read_log(self._run("log", *shape, f"{old}..{new}", "--"))

    def read_committed_s(self, commit: str) -> int:
        """The time of a commit in seconds since 1970."""
        return int(self._run("log", "-1", "--format=%ct", commit, "--"))

    def read_blobs(self, blob_ids: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the bytes of each blob in order, or None for a blob that the mirror lacks.

        If the mirror cannot be read, the iteration ends early and raises no error.
        """
        process = self.program.start(*self._git_dir, "cat-file", "--batch")
        try:
            for blob_id in blob_ids:
                yield _read_blob(process, blob_id)
        except (MirrorBrokenError, OSError):
            return
        finally:
            process.kill()
            process.communicate()

    @property
    def _ref(self) -> str:
        return "HEAD" if self.branch is None else f"refs/heads/{self.branch}"

    @property
    def _repository(self) -> Path:
        return self.folder / "mirror"

    @property
    def _git_dir(self) -> tuple[str, str]:
        # The folder is named, so that git does not search for a repository in the folders above.
        return ("--git-dir", os.fspath(self._repository))

    def _run(self, *arguments: str) -> bytes:
        try:
            return self.program.run(*self._git_dir, *arguments)
        except GitCommandError as error:
            raise MirrorBrokenError(str(error)) from error

    def _read_mirror_commit(self) -> str:
        return self._run("rev-parse", "--verify", MIRROR_REF).decode().strip()

    def _try_fetch(self, commit: str) -> bool:
        """Fetch the branch if the mirror does not have its commit.

        Return whether the mirror now has this commit or a later one.
        """
        try:
            if self._read_mirror_commit() != commit:
                self._fetch(self._repository)
        except GitCommandError:
            return False
        return True

    def _fetch(self, folder: Path) -> None:
        try:
            self.program.run(
                *("--git-dir", os.fspath(folder), "fetch", "--quiet", "--force", "--no-tags"),
                *("--no-write-fetch-head", "--no-recurse-submodules"),
                *("--", self.uri, f"+{self._ref}:{MIRROR_REF}"),
                timeout_s=FETCH_TIMEOUT_S,
            )
        except GitCommandError as error:
            if NO_SPACE in str(error):
                raise DiskFullError(describe_full_disk(folder)) from error
            raise

    def _create(self) -> None:
        """Create a mirror in a new folder, and replace the old mirror by it.

        A process that has opened files of the old mirror can continue to read them.
        """
        for leftover in self.folder.glob("new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        name = uuid.uuid4().hex
        created = self.folder / f"new-{name}"
        try:
            self.program.run("init", "--quiet", "--bare", "--template=", os.fspath(created))
            (created / NAME_FILE).write_text(name, encoding="utf-8")
            self._fetch(created)
            shutil.rmtree(self._repository, ignore_errors=True)
            created.rename(self._repository)
        finally:
            shutil.rmtree(created, ignore_errors=True)


def _read_tree(output: bytes) -> Iterator[tuple[bytes, Blob]]:
    for line in output.split(b"\0")[:-1]:
        header, _, path = line.partition(b"\t")
        mode, _, blob_id, size = header.split()
        if mode in FILE_MODES:
            if not size.isdigit():
                # For a missing blob, git writes BAD as the size and ends with status 0.
                raise MirrorBrokenError(f"the mirror lacks {blob_id.decode()}")
            yield path, Blob(blob_id.decode(), int(size))


def _read_log(output: bytes) -> list[list[Change]]:
    commits: list[list[Change]] = []
    committed_s = 0
    parts = iter(output.split(b"\0"))
    for part in parts:
        text = part.strip()
        if text.startswith(b":"):
            commits[-1].append(Change(next(parts), committed_s))
        elif text:
            committed_s = int(text)
            commits.append([])
    return commits


def _read_blob(process: Popen[bytes], blob_id: str) -> bytes | None:
    """Request one blob from `cat-file --batch`. The result is None if the mirror lacks it."""
    stdin, stdout = _open_pipes(process)
    stdin.write(blob_id.encode() + b"\n")
    stdin.flush()
    header = stdout.readline()
    if header.endswith(b" missing\n"):
        return None
    found = re.fullmatch(rb"[0-9a-f]+ blob (\d+)\n", header)
    content = stdout.read(int(found[1]) + 1) if found else b""
    if not found or len(content) != int(found[1]) + 1:
        raise MirrorBrokenError("git stopped before its answer was complete")
    return content[:-1]


def _open_pipes(process: Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
