"""Every failure a person can meet, by name.

One tree, so that a caller can act on a class and an operator can look a name up in
docs/errors.md. Nothing here knows HTTP, Dagster or exit codes; those are chosen by
`retrieval_api.problems`, `assets` and `ragline.commands`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class RaglineError(Exception):
    """Base of all errors that Ragline raises on purpose. The message is for a person."""


class ConfigurationError(RaglineError):
    """The configuration cannot be used. Mend the named line; nothing was written."""

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        place = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{place}{message}")
        self.path = path
        self.line = line


class DatabaseUnavailableError(RaglineError):
    """Postgres did not answer. Check RAGLINE_DATABASE_URL, or the log under RAGLINE_HOME."""


class DiskFullError(RaglineError):
    """A disk has no space left. Free space where the message says, then run the command again."""


class DatabaseDiskFullError(DiskFullError, DatabaseUnavailableError):
    """Postgres cannot write: its disk is full. Free space there; searches may still be answered."""


class TooManyConnectionsError(DatabaseUnavailableError):
    """Postgres has no connection to spare. End other clients, or raise max_connections."""


class DatabaseStartingError(DatabaseUnavailableError):
    """Postgres is starting, stopping or recovering. Try again in a few seconds."""


class ReadOnlyDatabaseError(DatabaseUnavailableError):
    """Postgres takes no writes here. Name the primary server in RAGLINE_DATABASE_URL."""


class DatabaseTooNewError(RaglineError):
    """The schema was made by a newer Ragline. Upgrade this one; nothing was written."""


class MissingExtensionError(RaglineError):
    """The database has no pgvector 0.8 or newer. Install it, or let a superuser create it."""


class SourceUnavailableError(RaglineError):
    """A source could not be listed to its end. Nothing was removed; mend access and sync again."""


class ModelUnavailableError(RaglineError):
    """An embedding model or reranker cannot be loaded from here. Install or name another one."""


class ModelLoadingError(RaglineError):
    """A model that the request needs is still being loaded. Ask again in a moment."""


class UnknownSourceError(RaglineError):
    """No source of that name is known. The message says which are, or where to look."""


class UnknownCollectionError(RaglineError):
    """No collection of that name exists. The message lists those that do."""


class UnsuitableDocumentError(RaglineError):
    """A named document is not one that the command is for. Nothing was changed; see the ledger."""


class InvalidSearchError(RaglineError):
    """A search asks for what its collection cannot do. The message names the field."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.reason = message


class InvalidFilterError(InvalidSearchError):
    """A search's filter is none. The message names the place in it and what is allowed there."""


class GenerationTooOldError(RaglineError):
    """The live index is older than the search asks for. Wait for the switch, or ask for less."""


class GenerationGoneError(RaglineError):
    """Another run has other settings and dropped the index that this one built. Sync again."""


class UnknownReceiptError(RaglineError):
    """No entry of this receipt is in an index any more, or it was never there. Search again."""


class UnknownKeyError(RaglineError):
    """No key of this public id is in use. `ragline keys list` shows those that there are."""


class UnauthorizedError(RaglineError):
    """The request has no key, or one that is wrong, expired or revoked. Send another one."""


class ForbiddenError(RaglineError):
    """The key does not permit this. The message says what is missing."""


class RateLimitError(RaglineError):
    """The key has asked more often than it may. Wait as long as Retry-After says."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AmbiguousDocumentError(RaglineError):
    """Several sources of the collection have a document of this id. Name the source too."""


class NoPushSourceError(RaglineError):
    """The collection takes no pushed documents. Add a source of the kind push to ragline.yaml."""


class UnknownDocumentError(RaglineError):
    """The collection has no document of this id. Look at the id's encoding."""


class UnknownModelError(RaglineError):
    """No collection is configured with an embedding model of that name. The message lists them."""


class IndexNotReadyError(RaglineError):
    """The collection has no live index yet. Run `ragline sync` first."""


class SearchTimeoutError(RaglineError):
    """A search was given up at its time limit. Ask for less, or look at the plan."""


class GoldenSetError(RaglineError):
    """A golden set is not in the BEIR layout or judges other documents. Fix what is named."""


class SyncInProgressError(RaglineError):
    """Another run is syncing this source. It goes on; wait for it, then sync again."""


class DocumentError(RaglineError):
    """What is wrong with one document. Its neighbours are not affected.

    `is_permanent` says that trying again cannot help until the document changes: the document
    is quarantined at once and not retried. `is_refusal` says that the content itself is refused:
    nobody waits for it to be visible, so it makes no clock late. `is_own_fault` says that the
    content is at fault or may be; where it is not, the document is retried for as long as the
    fault lasts.
    """

    is_permanent = False
    is_refusal = False
    is_own_fault = True


class BrokenDocumentError(DocumentError):
    """The content breaks its own format and no reader made sense of it. Repair or replace it."""

    # It is retried all the same: a file may have been caught while it was being written.
    is_refusal = True


class DocumentUnreadableError(DocumentError):
    """The source listed the document and failed to hand over its bytes. It is tried again."""


class DocumentUnavailableError(DocumentUnreadableError):
    """The source fails on this document for now. It is retried; the version before is served."""

    is_own_fault = False


class PermissionsUnavailableError(DocumentError):
    """The source could not say who may read the document. Mend its access to permissions."""


class EmptyDocumentError(DocumentError):
    """The document holds no text to index. Give images a text layer (OCR), or exclude it."""

    is_permanent = True


class EncryptedDocumentError(DocumentError):
    """The document is protected by a password. Supply an unprotected copy."""

    is_permanent = True


class DocumentTooLargeError(DocumentError):
    """The document is larger than the limit in the message. Split it, or raise the limit."""

    is_permanent = True


class UnsupportedFormatError(DocumentError):
    """No reader for this format is installed here. The message says what to install."""


class ParserTimeoutError(DocumentError):
    """Reading the document took longer than its time limit and was stopped. Split it."""


class ParserMemoryError(DocumentError):
    """Reading the document needed more memory than its limit and was stopped. Split it."""


class ParserCrashedError(DocumentError):
    """The reader's process died on this document. It is tried again; report it if that fails."""


class ParserUnavailableError(DocumentError):
    """The process that reads documents could not be started. It is retried; see the reason."""

    is_own_fault = False


class ChunkingError(DocumentError):
    """The document was read, but its text could not be cut into chunks. Report the message."""


class TextTooLongError(RaglineError):
    """A text has more tokens than its embedding model reads. Cut it into smaller chunks first."""


class MissingEmbeddingError(RaglineError):
    """A chunk has no vector when its entry is to be made. Run the embeddings stage again."""


class SessionSettingError(RaglineError):
    """The database did not take a setting of vector search. Check the pgvector version."""


class UnknownRequestError(RaglineError):
    """No search with this request id is on record. Use the id that the search answered."""


class UnknownHitError(RaglineError):
    """The document was not among the hits of that search. Name one of those that it answered.

    `field` is what named it: `document_id` or `entry_id`.
    """

    def __init__(self, message: str, *, field: str = "document_id") -> None:
        super().__init__(message)
        self.field = field


class ServiceProblemError(RaglineError):
    """The service refused a request, failed on it, or could not be reached. The detail says why."""

    def __init__(
        self, detail: str, *, status: int | None = None, problem: dict[str, Any] | None = None
    ) -> None:
        """`status` is the HTTP status, None without an answer; `problem` is the answer (RFC 9457),
        empty when it came from something else on the way.
        """
        super().__init__(detail)
        self.status = status
        self.problem = problem or {}


class ProcessError(RaglineError):
    """A part of `ragline dev` could not start or does not stay up. Its last lines follow."""


class FileNotWrittenError(RaglineError):
    """A file could not be written to its end; nothing of it is left. Make room, or name another."""


class AddressUnavailableError(RaglineError):
    """The service cannot listen where it was told to. Stop what does, or name another port."""
