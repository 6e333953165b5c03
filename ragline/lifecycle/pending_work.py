"""The work that waits for the next sync of a source and that the source's probe does not show.

`dagster_project.due_syncs` decides whether a sync is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ragline.errors import SourceUnavailableError
from ragline.storage.database import Database
from ragline.storage.statements import load_statement


@dataclass(frozen=True, slots=True)
class PendingWork:
    """What the database says about a source before its next sync.

    Attributes:
        listed_probe: The probe that belongs to the last listing.
        is_locked: Whether a run or a command is syncing the source now.
        due_retries: The number of failed and unsupported documents whose next attempt is due.
        pending_documents: The number of documents that a sync proof or a command made pending
            again.
        unfinished_removals: The number of missing documents whose entries are not deleted yet.
        failed_at: The start of the last run, in seconds since 1970, if that run did not complete
            all stages. The run can be one that the sensor did not start.
        last_error: The error of the run of `failed_at`.
        unbuilt_documents: The number of documents that the last run left out of a build. The next
            run adds them.
    """

    listed_probe: str | None = None
    is_locked: bool = False
    due_retries: int = 0
    pending_documents: int = 0
    unfinished_removals: int = 0
    failed_at: float | None = None
    last_error: str | None = None
    unbuilt_documents: int | None = None

    @property
    def has_listing_failed(self) -> bool:
        """Whether the last run could not list the source.

        This can be true although a probe succeeds.
        """
        return self.failed_at is not None and (self.last_error or "").startswith(
            SourceUnavailableError.__name__
        )

    @property
    def is_empty(self) -> bool:
        """Whether no work waits for a sync."""
        return not (
            self.due_retries
            or self.pending_documents
            or self.unfinished_removals
            or self.unbuilt_documents
        )


def read_pending_work(database: Database, source: str, since: float | None) -> PendingWork:
    """Return the pending work of a source.

    `since` is the start of the source's last run in seconds since 1970. Documents and removals that
    were already pending at this time are not counted, because that run has seen them. If `since` is
    None, all are counted.
    """
    since_at = None if since is None else datetime.fromtimestamp(since, UTC)
    statement = load_statement("lifecycle/select_pending_work")
    with database.connect() as connection:
        row = connection.execute(statement, {"source": source, "since": since_at}).one()
    return PendingWork(
        listed_probe=row.listed_probe,
        is_locked=row.is_locked,
        due_retries=row.due_retries,
        pending_documents=row.pending_documents,
        unfinished_removals=row.unfinished_removals,
        failed_at=None if row.failed_at is None else row.failed_at.timestamp(),
        last_error=row.last_error,
        unbuilt_documents=row.build_left,
    )
