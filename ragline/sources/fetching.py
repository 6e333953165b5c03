"""Asking a source for documents so that each one is answered exactly once, whatever it does.

A source promises that. One that breaks its promise, or fails on a document, costs that document
alone: the others are asked for in smaller parts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from ragline.errors import DocumentUnreadableError, RaglineError, SourceUnavailableError
from ragline.sources.protocol import FailedFetch, FetchedDocument, Source

logger = logging.getLogger(__name__)

# A source that fails on so many documents of one part fails on the rest too.
MOST_FAULTS = 20

Answer = FetchedDocument | FailedFetch


def fetch_answers(source: Source, document_ids: Sequence[str]) -> Iterator[Answer]:
    """Yield one answer for each id, in any order.

    Raises:
        SourceUnavailableError: the source cannot be reached any more; the ids that were not
            answered yet are not to blame.
    """
    asking = _Asking(source, dict.fromkeys(document_ids))
    yield from asking.ask(list(asking.unanswered))
    for document_id in asking.unanswered:
        yield FailedFetch(document_id, DocumentUnreadableError(asking.explain()))


class _Asking:
    """The ids that a source has not answered yet, and how often it failed on some of them."""

    def __init__(self, source: Source, unanswered: dict[str, None]) -> None:
        self._source = source
        self.unanswered = unanswered
        self._faults = 0
        self._last_fault: str | None = None

    def explain(self) -> str:
        """Why the ids that are left have no answer."""
        return self._last_fault or "the source listed it and gave no answer when it was asked for"

    def ask(self, document_ids: Sequence[str]) -> Iterator[Answer]:
        """Yield the answers; after a failure the rest is asked for in two halves."""
        try:
            yield from self._ask_once(document_ids)
        except _FetchFailedError as error:
            self._last_fault = str(error)
            yield from self._ask_for_rest(document_ids)

    def _ask_for_rest(self, document_ids: Sequence[str]) -> Iterator[Answer]:
        left = [document_id for document_id in document_ids if document_id in self.unanswered]
        if len(left) == 1 and len(document_ids) == 1:
            self._faults += 1
            del self.unanswered[left[0]]
            yield FailedFetch(left[0], DocumentUnreadableError(self.explain()))
        elif self._faults < MOST_FAULTS:
            middle = (len(left) + 1) // 2
            for part in filter(None, (left[:middle], left[middle:])):
                yield from self.ask(part)

    def _ask_once(self, document_ids: Sequence[str]) -> Iterator[Answer]:
        answers = iter(self._source.fetch_documents(document_ids))
        while (answer := self._take(answers)) is not None:
            if answer.document_id in self.unanswered:
                del self.unanswered[answer.document_id]
                yield answer
            else:
                logger.warning(
                    "the source answered %r, which it was not asked for or has answered before; "
                    "this answer is left out",
                    answer.document_id,
                )

    def _take(self, answers: Iterator[Answer]) -> Answer | None:
        """The next answer; None at the end.

        Raises:
            SourceUnavailableError: the source cannot be reached, as its probe confirms.
            _FetchFailedError: the source is there and failed on something.
        """
        try:
            return next(answers, None)
        except SourceUnavailableError as error:
            if not self._is_there():
                raise
            raise _FetchFailedError(str(error)) from error
        except RaglineError:
            raise
        except Exception as error:
            logger.exception("the source failed in the middle of its answers")
            reason = " ".join(str(error).split()) or "no reason given"
            raise _FetchFailedError(
                f"the source failed on it: {type(error).__name__}: {reason}"
            ) from error

    def _is_there(self) -> bool:
        try:
            self._source.probe()
        except SourceUnavailableError:
            return False
        return True


class _FetchFailedError(Exception):
    """The source raised in the middle of its answers; the message is its reason."""
