"""Files on a branch of a Git repository, by URL or path.

A document's id is its path, its version the id of its content: a commit that changes nothing of
a file costs nothing. How the commits get here is `git_mirror`, how git is called `git_program`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from ragline.errors import (
    DiskFullError,
    DocumentTooLargeError,
    DocumentUnreadableError,
    SourceUnavailableError,
)
from ragline.sources.files.paths import PathPatterns, encode_path
from ragline.sources.git.mirror import ATTEMPTS, Blob, GitMirror, MirrorBrokenError
from ragline.sources.git.program import GitCommandError, open_program
from ragline.sources.git.settings import GitSettings
from ragline.sources.protocol import FailedFetch, FetchedDocument, ListedDocument, SourceContext

# The note of the commit that was listed last, and of the one since which changes are dated.
LISTED = "listed"
# Reading the log of so many commits takes well under a second.
DATED_COMMITS = 1000
# The end of the year 9999: commits may say anything.
LATEST_S = 253_402_300_799


class GitSource:
    """The files of one branch."""

    def __init__(self, settings: GitSettings, context: SourceContext) -> None:
        self._settings = settings
        self._notes = context.notes
        self._home = context.home
        self._patterns = PathPatterns(settings.include, settings.exclude, settings.ignore_files)
        self._blobs: dict[str, Blob] = {}
        self._changes: dict[str, datetime] = {}

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns take; no links and no submodules.

        A file is dated by the last commit that changed it since the first listing. One that has
        not changed since then was changed at the latest when that listing's commit was made.

        Raises:
            SourceUnavailableError: the repository or the branch cannot be read.
        """
        with self._named_errors():
            mirror = self._open_mirror()
            oldest = mirror.persist(partial(self._read_branch, mirror))
        for document_id, blob in self._blobs.items():
            changed_at = self._changes.get(document_id, oldest)
            yield ListedDocument(document_id, blob.blob_id, blob.size_bytes, changed_at)

    def fetch_documents(
        self, document_ids: Collection[str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the named files as they were at the last listing, whoever made it.

        Raises:
            SourceUnavailableError: the mirror is gone and the repository cannot be read.
        """
        with self._named_errors():
            mirror = self._open_mirror()
            blobs = self._blobs or mirror.persist(partial(self._recall, mirror))
        limit = self._settings.max_document_bytes
        left: dict[str, str] = {}
        for document_id in document_ids:
            blob = blobs.get(document_id)
            if blob is None:
                gone = DocumentUnreadableError("the file left the branch")
                yield FailedFetch(document_id, gone)
            elif blob.size_bytes > limit:
                too_large = DocumentTooLargeError(f"the file is larger than {limit} bytes")
                yield FailedFetch(document_id, too_large)
            else:
                left[document_id] = blob.blob_id
        yield from self._read(mirror, left)

    def probe(self) -> str:
        """The branch's commit: one round trip, nothing is fetched."""
        with self._named_errors():
            return self._open_mirror().find_commit()

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """When the branch changed or removed each file, as far as the last listing saw it."""
        return {name: self._changes[name] for name in document_ids if name in self._changes}

    def ignores(self, document_id: str) -> bool:
        """Whether a file of this id is never listed, as tools leave it for themselves."""
        return self._patterns.ignores(document_id)

    def _open_mirror(self) -> GitMirror:
        settings = self._settings
        program = open_program(settings.uri, settings.read_credentials())
        return GitMirror(program, self._home, settings.uri, settings.branch)

    def _read_branch(self, mirror: GitMirror, mistrusted: str | None) -> datetime:
        """Look up the files and when they changed; return a time for all others."""
        commit = mirror.update(mistrusted=mistrusted)
        self._blobs = self._choose(mirror.list_tree(commit))
        return self._date_changes(mirror, commit)

    def _choose(self, tree: Mapping[bytes, Blob]) -> dict[str, Blob]:
        return {
            encode_path(path): blob
            for path, blob in ((_read_path(raw), blob) for raw, blob in tree.items())
            if self._patterns.take(path)
        }

    def _date_changes(self, mirror: GitMirror, commit: str) -> datetime:
        """Note the changes since the oldest commit that is remembered, and return its time.

        Nothing is remembered at first, nor after a push that threw commits away. Once there are
        many commits since, the next listing starts from this one.
        """
        note = self._notes.read(LISTED) or {}
        since = note.get("since", commit)
        commits = mirror.list_changes(since, commit)
        if commits is None:
            since, commits = commit, []
        changes: dict[str, datetime] = {}
        for path, committed_s in (change for changed in commits for change in changed):
            changes.setdefault(encode_path(_read_path(path)), _read_time(committed_s))
        oldest = _read_time(mirror.read_committed_s(since))
        self._changes = changes
        kept = {"commit": commit, "since": commit if len(commits) > DATED_COMMITS else since}
        if kept != note:
            self._notes.write(LISTED, kept)
        return oldest

    def _recall(self, mirror: GitMirror, mistrusted: str | None) -> dict[str, Blob]:
        """The files of the commit that was listed last; of the branch's where it is lost."""
        listed = (self._notes.read(LISTED) or {}).get("commit")
        tree = None if listed is None else _try_tree(mirror, listed)
        if tree is None:
            commit = mirror.update(mistrusted=mistrusted)
            tree = None if listed is None else _try_tree(mirror, listed)
            tree = mirror.list_tree(commit) if tree is None else tree
        self._blobs = self._choose(tree)
        return self._blobs

    def _read(
        self, mirror: GitMirror, left: dict[str, str]
    ) -> Iterator[FetchedDocument | FailedFetch]:
        """Yield the blobs of documents; what the mirror lacks is looked for in a new one."""
        mistrusted: str | None = None
        for _ in range(ATTEMPTS):
            if mistrusted is not None:
                with self._named_errors():
                    mirror.update(mistrusted=mistrusted)
            mistrusted, wanted = mirror.read_name(), list(left)
            contents = mirror.read_blobs([left[document_id] for document_id in wanted])
            for document_id, content in zip(wanted, contents, strict=False):
                if content is not None:
                    del left[document_id]
                    yield FetchedDocument(document_id, content, document_id.rpartition("/")[2])
            if not left:
                return
        for document_id in left:
            lost = DocumentUnreadableError("the repository lost this version; sync again")
            yield FailedFetch(document_id, lost)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (GitCommandError, DiskFullError, OSError) as error:
            raise SourceUnavailableError(
                f"source {self._settings.name}: {self._settings.address} cannot be read: {error}"
            ) from error


def _try_tree(mirror: GitMirror, commit: str) -> dict[bytes, Blob] | None:
    try:
        return mirror.list_tree(commit)
    except MirrorBrokenError:
        return None


def _read_path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _read_time(seconds: int) -> datetime:
    """A commit's time; one that no calendar has becomes the nearest that there is."""
    return datetime.fromtimestamp(min(max(seconds, 0), LATEST_S), UTC)
