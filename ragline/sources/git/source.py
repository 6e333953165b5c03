"""The source of kind `git`: the files on a branch of a repository.

A document's id is its path. Its version is the id of its content in Git. So if a commit does not
change a file, the file is not read again. `mirror` fetches the commits, and `program` runs git.
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
from ragline.sources.git.mirror import MAX_ATTEMPTS, Blob, GitMirror, MirrorBrokenError
from ragline.sources.git.program import GitCommandError, open_program
from ragline.sources.git.settings import GitSettings
from ragline.sources.protocol import (
    FailedFetch,
    FetchedDocument,
    FetchResult,
    ListedDocument,
    SourceContext,
)

# Key of the saved state. The value contains two commits. `commit` is the last listed commit.
# `since` is the commit after which the times of changes are known.
LISTED = "listed"
# If there are more commits than this after `since`, the next listing starts from a new `since`. To
# read this number of commits takes less than a second.
MAX_DATED_COMMITS = 1000
# The last second of the year 9999. It replaces later times, because a commit can state any number
# as its time.
MAX_TIMESTAMP_S = 253_402_300_799


class GitSource:
    """A source whose documents are the files of one branch."""

    def __init__(self, settings: GitSettings, context: SourceContext) -> None:
        self._settings = settings
        self._state = context.state
        self._folder = context.folder
        self._patterns = PathPatterns(settings.include, settings.exclude, settings.ignore_files)
        self._blobs: dict[str, Blob] = {}
        self._changes: dict[str, datetime] = {}

    def list_documents(self) -> Iterator[ListedDocument]:
        """Yield every file that the patterns match. Links and submodules are left out.

        `changed_at` of a file is the time of the last known commit that changed it. The commits
        after the first listing are known. For a file that none of them changed, `changed_at` is the
        time of the first listed commit, because the file cannot have changed later.

        Raises:
            SourceUnavailableError: the repository or the branch cannot be read.
        """
        with self._name_source_in_errors():
            mirror = self._open_mirror()
            oldest = mirror.read_with_retry(partial(self._read_branch, mirror))
        for document_id, blob in self._blobs.items():
            changed_at = self._changes.get(document_id, oldest)
            yield ListedDocument(document_id, blob.blob_id, blob.size_bytes, changed_at)

    def fetch_documents(self, document_ids: Collection[str]) -> Iterator[FetchResult]:
        """Yield the named files as they were at the last listing.

        Another process can have made this listing.

        Raises:
            SourceUnavailableError: the mirror is missing and the repository cannot be read.
        """
        with self._name_source_in_errors():
            mirror = self._open_mirror()
            blobs = self._blobs or mirror.read_with_retry(partial(self._read_listed_files, mirror))
        limit = self._settings.max_document_bytes
        wanted: dict[str, str] = {}
        for document_id in document_ids:
            blob = blobs.get(document_id)
            if blob is None:
                removed = DocumentUnreadableError("the file was removed from the branch")
                yield FailedFetch(document_id, removed)
            elif blob.size_bytes > limit:
                too_large = DocumentTooLargeError(f"the file is larger than {limit} bytes")
                yield FailedFetch(document_id, too_large)
            else:
                wanted[document_id] = blob.blob_id
        yield from self._read(mirror, wanted)

    def probe(self) -> str:
        """The commit of the branch. The probe needs one request and no fetch."""
        with self._name_source_in_errors():
            return self._open_mirror().find_commit()

    def find_change_times(self, document_ids: Sequence[str]) -> Mapping[str, datetime]:
        """For each id, the time of the last commit that changed or removed the file.

        Files whose time the last listing did not find are left out.
        """
        return {name: self._changes[name] for name in document_ids if name in self._changes}

    def ignores(self, document_id: str) -> bool:
        """Whether listings leave out a file that a program created for its own use."""
        return self._patterns.ignores(document_id)

    def _open_mirror(self) -> GitMirror:
        settings = self._settings
        program = open_program(settings.uri, settings.read_credentials())
        return GitMirror(program, self._folder, settings.uri, settings.branch)

    def _read_branch(self, mirror: GitMirror, broken: str | None) -> datetime:
        """Read the files of the branch and the times of their changes.

        Return the time that applies to the files without a known time.
        """
        commit = mirror.update(broken=broken)
        self._blobs = self._select_files(mirror.list_tree(commit))
        return self._date_changes(mirror, commit)

    def _select_files(self, tree: Mapping[bytes, Blob]) -> dict[str, Blob]:
        return {
            encode_path(path): blob
            for path, blob in ((_read_path(raw), blob) for raw, blob in tree.items())
            if self._patterns.matches(path)
        }

    def _date_changes(self, mirror: GitMirror, commit: str) -> datetime:
        """Read the changes after the saved commit `since`, and return the time of that commit.

        In the first listing and after a forced push, `since` is the listed commit itself. If there
        are more than MAX_DATED_COMMITS commits after `since`, the listed commit is saved as the new
        `since`.
        """
        saved = self._state.read(LISTED) or {}
        since = saved.get("since", commit)
        commits = mirror.list_changes(since, commit)
        if commits is None:
            since, commits = commit, []
        changes: dict[str, datetime] = {}
        for path, committed_s in (change for changed in commits for change in changed):
            changes.setdefault(encode_path(_read_path(path)), _read_time(committed_s))
        oldest = _read_time(mirror.read_committed_s(since))
        self._changes = changes
        state = {"commit": commit, "since": commit if len(commits) > MAX_DATED_COMMITS else since}
        if state != saved:
            self._state.write(LISTED, state)
        return oldest

    def _read_listed_files(self, mirror: GitMirror, broken: str | None) -> dict[str, Blob]:
        """Read the files of the last listed commit.

        If that commit is lost, read the files of the branch.
        """
        listed = (self._state.read(LISTED) or {}).get("commit")
        tree = None if listed is None else _list_tree_if_present(mirror, listed)
        if tree is None:
            commit = mirror.update(broken=broken)
            tree = None if listed is None else _list_tree_if_present(mirror, listed)
            tree = mirror.list_tree(commit) if tree is None else tree
        self._blobs = self._select_files(tree)
        return self._blobs

    def _read(self, mirror: GitMirror, pending: dict[str, str]) -> Iterator[FetchResult]:
        """Yield the documents in `pending`, which has a blob id for each document id.

        If the mirror lacks a blob, the blob is read from a new mirror.
        """
        broken: str | None = None
        for _ in range(MAX_ATTEMPTS):
            if broken is not None:
                with self._name_source_in_errors():
                    mirror.update(broken=broken)
            broken, document_ids = mirror.read_name(), list(pending)
            contents = mirror.read_blobs([pending[document_id] for document_id in document_ids])
            for document_id, content in zip(document_ids, contents, strict=False):
                if content is not None:
                    del pending[document_id]
                    yield FetchedDocument(document_id, content, document_id.rpartition("/")[2])
            if not pending:
                return
        for document_id in pending:
            lost = DocumentUnreadableError(
                "the repository no longer contains this version; sync again"
            )
            yield FailedFetch(document_id, lost)

    @contextmanager
    def _name_source_in_errors(self) -> Iterator[None]:
        try:
            yield
        except (GitCommandError, DiskFullError, OSError) as error:
            raise SourceUnavailableError(
                f"source {self._settings.name}: {self._settings.address} cannot be read: {error}"
            ) from error


def _list_tree_if_present(mirror: GitMirror, commit: str) -> dict[bytes, Blob] | None:
    try:
        return mirror.list_tree(commit)
    except MirrorBrokenError:
        return None


def _read_path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _read_time(seconds: int) -> datetime:
    """The time of a commit. A time before 1970 or after 9999 becomes the nearest allowed time."""
    return datetime.fromtimestamp(min(max(seconds, 0), MAX_TIMESTAMP_S), UTC)
