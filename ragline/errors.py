"""All errors that Ragline raises on purpose, in one tree of classes.

A caller can catch a class, and an operator can find its name in docs/errors.md. The HTTP status of
an error is in `retrieval_api.problems`, and its exit status in `ragline.commands`. `assets` turns
errors into failures of Dagster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class RaglineError(Exception):
    """The base class of all errors that Ragline raises on purpose. Its message is for people."""


class ConfigurationError(RaglineError):
    """The configuration cannot be used. Correct the line in the message. Nothing was written."""

    def __init__(self, message: str, *, path: Path | None = None, line: int | None = None) -> None:
        location = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{location}{message}")
        self.path = path
        self.line = line


class DatabaseUnavailableError(RaglineError):
    """Postgres did not answer. Check RAGLINE_DATABASE_URL, or read the log under RAGLINE_HOME."""


class DiskFullError(RaglineError):
    """A disk is full. Free space on the disk that the message names, then try again."""


class DatabaseDiskFullError(DiskFullError, DatabaseUnavailableError):
    """The disk of Postgres is full. Free space on it. Searches can continue meanwhile."""


class TooManyConnectionsError(DatabaseUnavailableError):
    """Postgres has no free connection. Stop other clients, or increase max_connections."""


class DatabaseStartingError(DatabaseUnavailableError):
    """Postgres is starting, stopping or recovering. Try again in a few seconds."""


class ReadOnlyDatabaseError(DatabaseUnavailableError):
    """The database is read-only. Name the primary server in RAGLINE_DATABASE_URL."""


class DatabaseTooNewError(RaglineError):
    """A newer release of Ragline created the schema. Upgrade Ragline. Nothing was written."""


class MissingExtensionError(RaglineError):
    """The database has no pgvector 0.8 or newer. Install it. A superuser creates the extension."""


class SourceUnavailableError(RaglineError):
    """A source could not be listed completely. Restore access, then sync. Nothing was removed."""


class ModelUnavailableError(RaglineError):
    """An embedding model or a reranker cannot be loaded. Install it, or name another model."""


class ModelLoadingError(RaglineError):
    """A model that the request needs is still loading. Repeat the request in a few seconds."""


class UnknownSourceError(RaglineError):
    """No source has this name. The message lists the known sources, or says how to list them."""


class UnknownCollectionError(RaglineError):
    """No collection has this name. The message lists the collections that exist."""


class UnsuitableDocumentError(RaglineError):
    """The command does not apply to this document. Check its state. Nothing was changed."""


class InvalidSearchError(RaglineError):
    """The collection does not support what the search requires. The message names the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = message


class InvalidFilterError(InvalidSearchError):
    """The filter of a search is malformed. The message names the wrong part."""


class GenerationTooOldError(RaglineError):
    """The live generation is older than the search requires. Wait for the next promotion."""


class GenerationGoneError(RaglineError):
    """Another run or an operator closed the generation that this run built. Sync or build again."""


class UnknownGenerationError(RaglineError):
    """The database has no generation with this id. `ragline generation list` shows all of them."""


class UnknownReportError(RaglineError):
    """The database has no gate report with this id. `ragline generation show` lists the reports."""


class GenerationStateError(RaglineError):
    """The generation's state does not allow this step. The message names the allowed states."""


class PromotionRefusedError(RaglineError):
    """The gate, a blocking check or the ledger is against the candidate, or an approval is missing.

    The message says why, and what to do.
    """


class IncompleteGenerationError(RaglineError):
    """The generation does not contain every readable document. Continue its build."""


class BuildInProgressError(RaglineError):
    """Another process is building a generation of this collection. Wait until it has ended."""


class UnknownEvaluationError(RaglineError):
    """No stored evaluation has this id. `ragline evaluations` lists the newest ones."""


class UnknownReceiptError(RaglineError):
    """No entry in an index has this receipt. Search again for a current receipt."""


class UnknownKeyError(RaglineError):
    """No active key has this public id. `ragline keys list` shows all keys."""


class UnauthorizedError(RaglineError):
    """The request has no key, or its key is wrong, expired or revoked. Send a valid key."""


class ForbiddenError(RaglineError):
    """The key does not permit the request. The message names the missing permission."""


class RateLimitError(RaglineError):
    """The key sent too many requests. Wait for the time in the header Retry-After."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AmbiguousDocumentError(RaglineError):
    """Several sources of the collection have a document with this id. Name the source too."""


class NoPushSourceError(RaglineError):
    """The collection has no source of the kind push. Add one to ragline.yaml."""


class UnknownDocumentError(RaglineError):
    """The collection has no document with this id. In a URL, check the encoding of the id."""


class UnknownModelError(RaglineError):
    """No collection uses an embedding model with this name. The message lists the models."""


class IndexNotReadyError(RaglineError):
    """The collection has no live index yet. Run `ragline sync` first."""


class SearchTimeoutError(RaglineError):
    """A search reached its time limit. Narrow the search, or examine the query plan."""


class RerankingError(RaglineError):
    """A reranker did not score the texts. Search without reranking, and report the message."""


class GoldenSetError(RaglineError):
    """A golden set is not in the BEIR layout or names unknown documents. Fix the named part."""


class UnknownProposalError(RaglineError):
    """No proposal with this id waits for an answer. List the proposals again."""


class SyncInProgressError(RaglineError):
    """Another run is syncing this source. Wait until that run has ended, then try again."""


class DocumentError(RaglineError):
    """The base class of errors about one document. Other documents are not affected.

    Attributes:
        is_permanent: A retry cannot succeed until the document changes. So the document is
            quarantined at once.
        is_refusal: Ragline refuses the content. So the clocks do not count the document.
        is_own_fault: The content of the document can be the cause. If this is false, the cause is
            outside the document, and the document is retried until that cause is gone.
    """

    is_permanent = False
    is_refusal = False
    is_own_fault = True


class BrokenDocumentError(DocumentError):
    """The content is damaged, and no reader can read it. Repair or replace the document."""

    # It is retried nevertheless, because the file was perhaps read while it was being written.
    is_refusal = True


class DocumentUnreadableError(DocumentError):
    """The source lists the document but does not return its bytes. The document is retried."""


class DocumentUnavailableError(DocumentUnreadableError):
    """The source failed temporarily. The document is retried. Searches find its old version."""

    is_own_fault = False


class PermissionsUnavailableError(DocumentError):
    """The source did not say who may read the document. Let Ragline's account read permissions."""


class EmptyDocumentError(DocumentError):
    """The document contains no text. Add a text layer to scanned pages (OCR), or exclude it."""

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
    """The parser process crashed on this document, which is retried. Report repeated crashes."""


class ParserUnavailableError(DocumentError):
    """The parser process did not start. The message says why. The document is retried."""

    is_own_fault = False


class ChunkingError(DocumentError):
    """The text of the document could not be split into chunks. Report the message."""


class TextTooLongError(RaglineError):
    """A text has more tokens than the embedding model reads. Split it into smaller chunks."""


class MissingEmbeddingError(RaglineError):
    """A chunk had no embedding when its entry was to be written. Sync the source again."""


class SessionSettingError(RaglineError):
    """The database rejected a setting of the vector search. Check the version of pgvector."""


class UnknownRequestError(RaglineError):
    """No recorded search has this request id. Use the id from the answer to the search."""


class UnknownHitError(RaglineError):
    """The search did not return this document. Name a document that the search returned.

    `field` is the field of the request that names the document: `document_id` or `entry_id`.
    """

    def __init__(self, message: str, *, field: str = "document_id") -> None:
        super().__init__(message)
        self.field = field


class ServiceProblemError(RaglineError):
    """The service refused a request, failed, or did not answer. The message gives the cause."""

    def __init__(
        self, detail: str, *, status: int | None = None, problem: dict[str, Any] | None = None
    ) -> None:
        """Store the parts of the answer.

        `status` is the HTTP status; None if there was no answer. `problem` is the problem document
        (RFC 9457); empty if a proxy sent the answer.
        """
        super().__init__(detail)
        self.status = status
        self.problem = problem or {}


class ProcessError(RaglineError):
    """A process of `ragline dev` did not start, or it ended. The message shows its last output."""


class FileNotWrittenError(RaglineError):
    """A file could not be written, and no part of it is left. Free space, or name another file."""


class AddressUnavailableError(RaglineError):
    """The service cannot listen on its address. Stop the other program, or name another port."""
