"""Sends lineage events in a thread of its own, so that no stage of a sync waits for them."""

from __future__ import annotations

import logging
import os
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from ragline.counts import count
from ragline.lineage.facts import RunFacts

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

logger = logging.getLogger(__name__)

# The maximum time that a run waits at its end for events that are not delivered yet.
CLOSE_WAIT_S = 2.0


class LineageEmitter:
    """Sends the events of one run, in order.

    If the endpoint does not answer, the run does not fail, and its end is delayed by at most
    CLOSE_WAIT_S seconds. The log contains one message for each run whose events were not all
    delivered.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[RunFacts | None] = SimpleQueue()
        self._has_reported = False
        self._waiting = 0
        self._thread = Thread(target=self._send_all, name="ragline-lineage", daemon=True)
        self._thread.start()

    def emit(self, facts: RunFacts) -> None:
        """Queue one event. The call returns at once."""
        self._waiting += 1
        self._queue.put(facts)

    def close(self) -> None:
        """Send the queued events, and wait for them for at most CLOSE_WAIT_S seconds."""
        self._queue.put(None)
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():
            self._report(
                f"{count(self._waiting, 'event')} waited for longer than {CLOSE_WAIT_S:g} s"
            )

    def _send_all(self) -> None:
        try:
            client = _open_client()
            # The import of the events takes a quarter of a second, which no stage must wait for.
            from ragline.lineage.events import make_event
        except Exception as error:  # noqa: BLE001  a wrong configuration must not fail a sync
            self._report(f"the client cannot be created: {type(error).__name__}: {error}")
            return
        while (facts := self._queue.get()) is not None:
            try:
                client.emit(make_event(facts))
            except Exception as error:  # noqa: BLE001  the endpoint must not fail a sync
                self._report(f"{type(error).__name__}: {error}")
            self._waiting -= 1
        client.close(CLOSE_WAIT_S)

    def _report(self, reason: str) -> None:
        if not self._has_reported:
            self._has_reported = True
            # A command shows its log from this level on.
            logger.error(
                "some lineage events were not delivered: %s; check the OpenLineage settings of the "
                "environment (docs/lineage.md)",
                reason,
            )


def _open_client() -> OpenLineageClient:
    """Create the client from the environment.

    The client copies OPENLINEAGE_URL to other environment variables of the process. The function
    removes these copies, so that a later change of OPENLINEAGE_URL has an effect. By default, the
    client also describes the Git repository of the working folder as the code of the job. The code
    of the job is elsewhere, so this description is switched off unless the environment asks for it.
    """
    from openlineage.client import OpenLineageClient

    before = set(os.environ)
    try:
        return OpenLineageClient(config={"facets": {"source_code_location": {"disabled": True}}})
    finally:
        for name in set(os.environ) - before:
            if name.startswith("OPENLINEAGE__"):
                del os.environ[name]
