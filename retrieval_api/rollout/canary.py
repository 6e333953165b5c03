"""Answers the searches of some callers from the candidate, before its promotion.

A stable hash of the caller decides, so one caller gets the same generation in all searches. If the
candidate is gone or fails, the live generation answers, and the failure is counted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from time import monotonic
from typing import Literal, NamedTuple

from ragline.configuration import Configuration
from ragline.errors import (
    DatabaseUnavailableError,
    IndexNotReadyError,
    UnknownCollectionError,
)
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.connections import describe_cause
from retrieval_api.rollout.candidates import Candidates

logger = logging.getLogger(__name__)

Outcome = Literal["served", "failed"]
LOG_EVERY_S = 60.0
# Errors that the live generation would raise too. They are not failures of the candidate.
SHARED_FAILURES = (
    DatabaseUnavailableError,
    IndexNotReadyError,
    UnknownCollectionError,
)


class CanaryAnswer(NamedTuple):
    """An answer, and whether its caller belongs to the canary.

    If the candidate failed, the generation of the answer is the live one.
    """

    answer: SearchAnswer
    is_canary: bool


class Canary:
    """Chooses the generation of each search. Several threads can use it."""

    def __init__(
        self,
        configuration: Configuration,
        candidates: Candidates,
        count: Callable[[str, Outcome], None],
    ) -> None:
        """Create a canary. `count` is called with the collection and the outcome of each search."""
        self._shares = {
            settings.name: settings.rollout.canary_share
            for settings in configuration.collections
            if settings.rollout.canary_share > 0
        }
        self._candidates = candidates
        self._count = count
        self._logged_at = -LOG_EVERY_S

    def search(self, searcher: Searcher, request: SearchRequest, caller: str) -> CanaryAnswer:
        """Answer a request from the candidate or from the live generation.

        `caller` identifies the caller. It is hashed and not stored. Raises the errors of
        `Searcher.search`.
        """
        candidate_id = self.choose_candidate(request, caller)
        if candidate_id is None:
            return CanaryAnswer(searcher.search(request), is_canary=False)
        try:
            answer = searcher.search(request, generation_id=candidate_id, is_complete=True)
        except SHARED_FAILURES:
            raise
        except Exception as error:  # noqa: BLE001  whatever fails in the candidate, live answers
            # If the request is invalid, this search raises the error, and no failure is counted.
            answer = searcher.search(request)
            self._count(request.collection, "failed")
            self._log(request.collection, candidate_id, error)
            return CanaryAnswer(answer, is_canary=True)
        self._count(request.collection, "served")
        return CanaryAnswer(answer, is_canary=True)

    def choose_candidate(self, request: SearchRequest, caller: str) -> int | None:
        """Return the candidate that answers this caller, or None. The database is not read.

        A candidate that is older than `min_generation` answers no request.
        """
        share = self._shares.get(request.collection)
        candidate_id = None if share is None else self._candidates.find(request.collection)
        if share is None or candidate_id is None or (request.min_generation or 0) > candidate_id:
            return None
        return candidate_id if is_in_canary(candidate_id, caller, share) else None

    def _log(self, collection: str, candidate_id: int, error: Exception) -> None:
        now = monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            fields = {
                "collection": collection,
                "generation": candidate_id,
                "error": describe_cause(error),
            }
            logger.warning("candidate failed, live answered", extra={"fields": fields})


def is_in_canary(candidate_id: int, caller: str, share: float) -> bool:
    """Whether the hash of a caller is within the share.

    Each candidate selects other callers. If the share grows, the selected callers stay selected.
    """
    digest = hashlib.sha256(f"{candidate_id}\n{caller}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:4]) < share * 2**32
