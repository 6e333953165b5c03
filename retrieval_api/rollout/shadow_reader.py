"""Sends a sample of the searches to the candidate as well, after their responses.

One thread of the service reads the sample. So at most one shadow read uses the machine at a time,
and a slow candidate makes the sample smaller and no search slower.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Full, Queue
from threading import Thread
from time import monotonic
from typing import Literal
from uuid import UUID

from ragline.configuration import Configuration
from ragline.errors import (
    DatabaseUnavailableError,
    InvalidSearchError,
    ModelLoadingError,
    UnknownGenerationError,
)
from ragline.rollout.shadow_reads import (
    ShadowRead,
    compare_answers,
    describe_failure,
    record_shadow_reads,
)
from ragline.search.messages import SearchAnswer, SearchRequest
from ragline.search.searcher import Searcher
from ragline.storage.connections import Connection, describe_cause
from ragline.storage.database import Database
from retrieval_api.records.batch_writer import BatchWriter
from retrieval_api.rollout.candidates import Candidates

logger = logging.getLogger(__name__)

# A shadow read takes about as long as a search. With this number of waiting reads, the last one
# starts some seconds after its search.
CAPACITY = 100
# When the service stops, it waits this long for the end of the current shadow read.
STOP_S = 2.0
LOG_EVERY_S = 60.0

# compared: both generations answered. failed: only the live generation answered. dropped: too many
# shadow reads waited. skipped: the candidate is gone, its model is being loaded, the database does
# not answer, or the candidate has no calibration for the `min_confidence` of the search. Dropped
# and skipped reads say nothing about the candidate.
Outcome = Literal["compared", "failed", "dropped", "skipped"]
SKIPPED = (
    DatabaseUnavailableError, InvalidSearchError, ModelLoadingError, UnknownGenerationError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sample:
    """A search to repeat. `request` has the tenant and the principals of its caller."""

    request: SearchRequest
    answer: SearchAnswer
    candidate_id: int


class ShadowRecorder(BatchWriter[ShadowRead]):
    """Writes shadow reads in batches."""

    what = "shadow reads"

    def _insert(self, connection: Connection, batch: Sequence[ShadowRead]) -> None:
        record_shadow_reads(connection, batch)

    def _key(self, row: ShadowRead) -> UUID:
        return row.id

    def _request_id(self, row: ShadowRead) -> str:
        return str(row.request_id)


class ShadowReader:
    """Repeats a sample of the searches on the candidate. Several threads can call `sample`."""

    def __init__(
        self,
        configuration: Configuration,
        candidates: Candidates,
        count: Callable[[str, Outcome], None],
        capacity: int = CAPACITY,
    ) -> None:
        """Create a reader. `count` is called with the collection and the outcome of each read."""
        self.recorder = ShadowRecorder()
        self._shares = {
            settings.name: settings.rollout.shadow_share
            for settings in configuration.collections
            if settings.rollout.shadow_share > 0
        }
        self._candidates = candidates
        self._count = count
        self._waiting: Queue[_Sample | None] = Queue(capacity)
        self._thread: Thread | None = None
        self._is_stopping = False
        self._logged_at = -LOG_EVERY_S

    def start(self, database: Database, searcher: Searcher) -> None:
        """Start the threads, if the settings of a collection ask for shadow reads."""
        if self._shares:
            self.recorder.start(database)
            self._thread = Thread(
                target=self._read_until_stopped, args=[searcher], name="shadow reads", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop after the shadow read that is running, and write the finished ones."""
        self._is_stopping = True
        if self._thread is None:
            return
        # The thread stops when it takes the next item. If the queue is full, it needs no further
        # item.
        with suppress(Full):
            self._waiting.put_nowait(None)
        self._thread.join(STOP_S)
        self.recorder.stop()

    def sample(self, request: SearchRequest, answer: SearchAnswer) -> None:
        """Add an answered search to the sample, if its id selects it.

        The call neither blocks nor fails.
        """
        share = self._shares.get(answer.collection)
        if share is None or not _is_sampled(answer.request_id, share):
            return
        candidate_id = self._candidates.find(answer.collection)
        if candidate_id is None or candidate_id == answer.generation:
            return
        try:
            self._waiting.put_nowait(_Sample(request, answer, candidate_id))
        except Full:
            self._count(answer.collection, "dropped")

    def _read_until_stopped(self, searcher: Searcher) -> None:
        while (sample := self._waiting.get()) is not None and not self._is_stopping:
            self._count(sample.answer.collection, self._read(searcher, sample))

    def _read(self, searcher: Searcher, sample: _Sample) -> Outcome:
        # The caller never sees the answer, so the oldest generation that it accepts is irrelevant.
        request = replace(sample.request, min_generation=None)
        try:
            answer = searcher.search(request, generation_id=sample.candidate_id, is_complete=True)
        except SKIPPED as error:
            self._log("shadow read skipped", sample, error)
            return "skipped"
        except Exception as error:  # noqa: BLE001  this thread has no caller: store and log it
            self._log("shadow read failed", sample, error)
            failure = describe_failure(request, sample.answer, sample.candidate_id, error)
            self.recorder.record(failure)
            return "failed"
        self.recorder.record(compare_answers(request, sample.answer, answer))
        return "compared"

    def _log(self, message: str, sample: _Sample, error: Exception) -> None:
        now = monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            fields = {
                "collection": sample.answer.collection,
                "generation": sample.candidate_id,
                "error": describe_cause(error),
            }
            logger.warning(message, extra={"fields": fields})


def _is_sampled(request_id: UUID, share: float) -> bool:
    """Whether the random bits of the id select the search. The last 32 bits are random."""
    return request_id.int & 0xFFFF_FFFF < share * 2**32
