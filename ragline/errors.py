"""All errors that Ragline raises on purpose, in one tree of classes.

A caller can catch a class, and an operator can find its name in docs/errors.md. HTTP statuses,
Dagster's failures and exit statuses are in `retrieval_api.problems`, `assets` and
`ragline.commands`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class RaglineError(Exception):
    """The base class of all errors that Ragline raises on purpose. Its message is for a person."""


class ConfigurationError(RaglineError):
    """The configuration cannot be used. Correct the named line; nothing was written."""

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        location = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{location}{message}")
        self.path = path
        self.line = line


class DatabaseUnavailableError(RaglineError):
    """Postgres did not answer. Check RAGLINE_DATABASE_URL, or the log under RAGLINE_HOME."""


class DiskFullError(RaglineError):
    """A disk is full. Free space on the disk that the message names, then try again."""


class DatabaseDiskFullError(DiskFullError, DatabaseUnavailableError):
    """Postgres cannot write because its disk is full. Free space there; searches may still work."""


class TooManyConnectionsError(DatabaseUnavailableError):
    """Postgres has no free connection. Stop other clients, or increase max_connections."""


class DatabaseStartingError(DatabaseUnavailableError):
    """Postgres is starting, stopping or recovering. Try again in a few seconds."""


class ReadOnlyDatabaseError(DatabaseUnavailableError):
    """The database is read-only. Name the primary server in RAGLINE_DATABASE_URL."""


class DatabaseTooNewError(RaglineError):
    """A newer release of Ragline created the schema. Upgrade Ragline; nothing was written."""


class MissingExtensionError(RaglineError):
    """The database lacks pgvector 0.8 or newer. Install it, or let a superuser create it."""


class SourceUnavailableError(RaglineError):
    """A source could not be listed completely. Restore access, then sync; nothing was removed."""


class ModelUnavailableError(RaglineError):
    """An embedding model or a reranker cannot be loaded. Install it, or name another model."""


class ModelLoadingError(RaglineError):
    """A model that the request needs is still loading. Repeat the request in a few seconds."""


class UnknownSourceError(RaglineError):
    """No source has this name. The message lists the known sources, or says how to list them."""


class UnknownCollectionError(RaglineError):
    """No collection has this name. The message lists the collections that exist."""


class UnsuitableDocumentError(RaglineError):
    """The command does not apply to this document. Nothing was changed; check its state."""


class InvalidSearchError(RaglineError):
    """A search asks for something that its collection cannot do. The message names the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = message


class InvalidFilterError(InvalidSearchError):
    """The filter of a search is malformed. The message names the wrong part."""


class GenerationTooOldError(RaglineError):
    """The live index is older than the search requires. Wait for the promotion."""


class GenerationGoneError(RaglineError):
    """Another run with other settings dropped the index that this run built. Sync again."""


class UnknownReceiptError(RaglineError):
    """No entry in an index has this receipt. Search again for a current receipt."""


class UnknownKeyError(RaglineError):
    """No active key has this public id. `ragline keys list` shows all keys."""


class UnauthorizedError(RaglineError):
    """The request has no key, or its key is wrong, expired or revoked. Send a valid key."""


class ForbiddenError(RaglineError):
    """The key does not permit the request. The message names the missing permission."""


class RateLimitError(RaglineError):
    """The key exceeded its number of requests. Wait for the time in Retry-After."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AmbiguousDocumentError(RaglineError):
    """Several sources of the collection have a document with this id. Name the source too."""


class NoPushSourceError(RaglineError):
    """The collection has no source of the kind push. Add one to ragline.yaml."""


class UnknownDocumentError(RaglineError):
    """The collection has no document with this id. Check how the URL encodes the id."""


class UnknownModelError(RaglineError):
    """No collection uses an embedding model with this name. The message lists the models."""


class IndexNotReadyError(RaglineError):
    """The collection has no live index yet. Run `ragline sync` first."""


class SearchTimeoutError(RaglineError):
    """A search reached its time limit. Narrow the search, or examine the query plan."""


class GoldenSetError(RaglineError):
    """A golden set is not in the BEIR layout or names unknown documents. Fix the named part."""


class SyncInProgressError(RaglineError):
    """Another run is syncing this source; it was not interrupted. Wait for its end, then retry."""


class DocumentError(RaglineError):
    """The base class of errors about one document. Other documents are not affected.

    `is_permanent`: a retry cannot succeed until the document changes, so the document is
    quarantined at once. `is_refusal`: the content itself is refused, so the document makes no
    clock late. `is_own_fault`: the content is, or may be, the cause; otherwise the document is
    retried until the cause is gone.
    """

    is_permanent = False
    is_refusal = False
    is_own_fault = True


class BrokenDocumentError(DocumentError):
    """The content is damaged, and no reader can read it. Repair or replace the document."""

    # It is still retried: the file may have been read while it was being written.
    is_refusal = True


class DocumentUnreadableError(DocumentError):
    """The document was listed, but the source does not return its bytes. It is retried."""


class DocumentUnavailableError(DocumentUnreadableError):
    """The source has a temporary failure. The document is retried; the old version is served."""

    is_own_fault = False


class PermissionsUnavailableError(DocumentError):
    """The source did not say who may read the document. Fix its access to permissions."""


class EmptyDocumentError(DocumentError):
    """The document has no text to index. Add a text layer to images (OCR), or exclude it."""

    is_permanent = True


class EncryptedDocumentError(DocumentError):
    """A password protects the document. Supply a copy without a password."""

    is_permanent = True


class DocumentTooLargeError(DocumentError):
    """The document is larger than the limit in the message. Split it, or increase the limit."""

    is_permanent = True


class UnsupportedFormatError(DocumentError):
    """No reader for this format is installed. The message says what to install."""


class ParserTimeoutError(DocumentError):
    """The parser process reached its time limit and was stopped. Split the document."""


class ParserMemoryError(DocumentError):
    """The parser process reached its memory limit and was stopped. Split the document."""


class ParserCrashedError(DocumentError):
    """The parser process crashed on this document. It is retried; report repeated crashes."""


class ParserUnavailableError(DocumentError):
    """The parser process did not start. The document is retried; the message has the reason."""

    is_own_fault = False


class ChunkingError(DocumentError):
    """The text of the document could not be split into chunks. Report the message."""


class TextTooLongError(RaglineError):
    """A text has more tokens than its embedding model reads. Split it into smaller chunks."""


class MissingEmbeddingError(RaglineError):
    """A chunk had no embedding when its entry was written. Run the embeddings stage again."""


class SessionSettingError(RaglineError):
    """The database rejected a setting of the vector search. Check the version of pgvector."""


class UnknownRequestError(RaglineError):
    """No recorded search has this request id. Use the id from the answer to the search."""


class UnknownHitError(RaglineError):
    """The document was not a hit of that search. Name a document that was a hit of this search.

    `field` is the field of the request that named it: `document_id` or `entry_id`.
    """

    def __init__(self, message: str, *, field: str = "document_id") -> None:
        super().__init__(message)
        self.field = field


class ServiceProblemError(RaglineError):
    """The service refused a request, failed or was unreachable. The message gives the cause."""

    def __init__(
        self, detail: str, *, status: int | None = None, problem: dict[str, Any] | None = None
    ) -> None:
        """`status` is the HTTP status, None without an answer. `problem` is the problem document
        (RFC 9457), empty when a proxy sent the answer.
        """
        super().__init__(detail)
        self.status = status
        self.problem = problem or {}


class ProcessError(RaglineError):
    """A process of `ragline dev` did not start, or it ended. The message shows its last lines."""


class FileNotWrittenError(RaglineError):
    """A file could not be written and was deleted. Free space, or name another file."""


class AddressUnavailableError(RaglineError):
    """The service cannot listen on its address. Stop the other program, or name another port."""
