"""Fetches documents from a source, with exactly one result for each id.

A source can return no result for an id, or it can raise an error because of one document. Then only
this document fails. To find it, the documents are fetched again in smaller batches.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from ragline.errors import DocumentUnreadableError, RaglineError, SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchResult, Source

logger = logging.getLogger(__name__)

# After this number of failed documents in one call, the remaining documents are not tried, because
# they would probably fail too.
MAX_FAILURES = 20


def fetch_each_once(source: Source, document_ids: Sequence[str]) -> Iterator[FetchResult]:
    """Yield one result for each id, in any order.

    Raises:
        SourceUnavailableError: the source can no longer be reached. The documents without a result
            did not cause the error.
    """
    fetch = _Fetch(source, dict.fromkeys(document_ids))
    yield from fetch.run(list(fetch.pending))
    for document_id in fetch.pending:
        yield FailedFetch(document_id, DocumentUnreadableError(fetch.explain()))


class _Fetch:
    """One call of `fetch_each_once`: the ids without a result, and the number of failures."""

    def __init__(self, source: Source, pending: dict[str, None]) -> None:
        self._source = source
        self.pending = pending
        self._failures = 0
        self._last_failure: str | None = None

    def explain(self) -> str:
        """The reason why the remaining ids have no result."""
        return self._last_failure or "the source listed it and gave no answer when it was fetched"

    def run(self, document_ids: Sequence[str]) -> Iterator[FetchResult]:
        """Yield the results. After a failure, fetch the ids without a result in two halves."""
        try:
            yield from self._run_once(document_ids)
        except _FetchFailedError as error:
            self._last_failure = str(error)
            yield from self._run_halves(document_ids)

    def _run_halves(self, document_ids: Sequence[str]) -> Iterator[FetchResult]:
        rest = [document_id for document_id in document_ids if document_id in self.pending]
        if len(rest) == 1 and len(document_ids) == 1:
            self._failures += 1
            del self.pending[rest[0]]
            yield FailedFetch(rest[0], DocumentUnreadableError(self.explain()))
        elif self._failures < MAX_FAILURES:
            middle = (len(rest) + 1) // 2
            for half in filter(None, (rest[:middle], rest[middle:])):
                yield from self.run(half)

    def _run_once(self, document_ids: Sequence[str]) -> Iterator[FetchResult]:
        results = iter(self._source.fetch_documents(document_ids))
        while (result := self._read_next(results)) is not None:
            if result.document_id in self.pending:
                del self.pending[result.document_id]
                yield result
            else:
                logger.warning(
                    "the source returned %r, which was not requested or was returned before; "
                    "this result is ignored",
                    result.document_id,
                )

    def _read_next(self, results: Iterator[FetchResult]) -> FetchResult | None:
        """The next result; None at the end.

        Raises:
            SourceUnavailableError: the source cannot be reached. A probe has confirmed this.
            _FetchFailedError: the source can be reached, but it failed on a document.
        """
        try:
            return next(results, None)
        except SourceUnavailableError as error:
            if not self._is_reachable():
                raise
            raise _FetchFailedError(str(error)) from error
        except RaglineError:
            raise
        except Exception as error:
            logger.exception("the source failed while it returned documents")
            reason = " ".join(str(error).split()) or "no reason given"
            raise _FetchFailedError(
                f"the source failed on it: {type(error).__name__}: {reason}"
            ) from error

    def _is_reachable(self) -> bool:
        try:
            self._source.probe()
        except SourceUnavailableError:
            return False
        return True


class _FetchFailedError(Exception):
    """The source raised an error while it returned documents.

    The message is the reason.
    """
