"""Waits until searches show pushed changes, and describes what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from fastapi.concurrency import run_in_threadpool

from ragline.sources.push.operations import Outcome
from ragline.sources.push.settings import PushSettings
from ragline.status.pushed_states import (
    PushedChange,
    PushedChangeState,
    explain_delay,
    list_receipts,
)
from ragline.storage.database import Database
from retrieval_api.messages.pushed_documents import Visibility
from retrieval_api.service import Service

SHOWN = ("visible", "forgotten")


async def await_changes(
    service: Service, source: PushSettings, outcomes: Sequence[Outcome], wait_s: float
) -> list[Visibility | None]:
    """Wait until searches show all outcomes, at most `wait_s`; return what they show of each.

    The result is None for an outcome that a later one of the same document replaced.
    """
    started = monotonic()
    last = {outcome.document_id: outcome for outcome in outcomes}
    changes = {
        outcome.document_id: PushedChange(
            outcome.document_id, outcome.version or 0, outcome.content_hash is None
        )
        for outcome in last.values()
    }
    states = await service.visibility_waits.wait(
        service.database, source.name, list(changes.values()), wait_s
    )
    by_id = {change.document_id: state for change, state in states.items()}
    waited_s = round(monotonic() - started, 3)
    shown = await run_in_threadpool(_describe, service.database, source.name, by_id, waited_s)
    return [
        shown[outcome.document_id] if last[outcome.document_id] is outcome else None
        for outcome in outcomes
    ]


def _describe(
    database: Database, source: str, states: Mapping[str, PushedChangeState], waited_s: float
) -> dict[str, Visibility]:
    visible = [name for name, state in states.items() if state.state == "visible"]
    generation, receipts = list_receipts(database, source, visible)
    delay = None
    if any(state.state == "pending" for state in states.values()):
        delay = explain_delay(database, source)
    return {
        name: Visibility(
            state=state.state,
            reason=delay if state.state == "pending" else state.reason,
            generation=generation if state.state in SHOWN else None,
            receipts=receipts.get(name, []),
            waited_seconds=waited_s,
        )
        for name, state in states.items()
    }
