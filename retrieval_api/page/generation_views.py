"""Builds the views of the generations of a collection: states in words, trails and gate reports."""

from __future__ import annotations

from dataclasses import dataclass

from ragline.gate.stored_reports import GateRecord, list_reports
from ragline.lifecycle.generation_records import (
    GenerationEvent,
    GenerationRecord,
    list_records,
    read_record,
)
from retrieval_api.access.callers import Caller

# The number of generations on the page. These are the newest ones.
MAX_SHOWN = 20
STATE_BADGES = {"live": "good", "candidate": "warn", "refused": "bad"}
STATE_MEANINGS = {
    "building": "It is being built. It is not complete yet.",
    "candidate": "It is complete and receives every change. Searches do not use it.",
    "live": "Searches use it.",
    "retired": "It was live before and still receives every change, so a rollback is possible.",
    "refused": "An operator decided against it. Its table is deleted.",
    "abandoned": "The settings no longer ask for it, and it was never live.",
    "dropped": "Its table is deleted.",
}
# The order of the states on the page. A candidate is first, because an operator must decide about
# it.
_ORDER = ("candidate", "building", "live", "retired", "refused", "abandoned", "dropped")


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation with its trail and its gate reports, the newest report first."""

    record: GenerationRecord
    events: list[GenerationEvent]
    reports: list[GateRecord]

    @property
    def report(self) -> GateRecord | None:
        """The last report of the gate about this generation."""
        return self.reports[0] if self.reports else None

    @property
    def is_held(self) -> bool:
        return self.record.held_at is not None


def build_generation_views(caller: Caller, collection: str) -> list[GenerationView]:
    """Build the views of the newest generations: candidates first, then the live one."""
    records = list_records(caller.database, collection)[-MAX_SHOWN:]
    reports = list_reports(caller.database, collection=collection)
    views = [
        GenerationView(
            record,
            read_record(caller.database, record.id)[1],
            [one for one in reports if one.candidate_id == record.id],
        )
        for record in records
    ]
    return sorted(views, key=lambda one: (_ORDER.index(one.record.state), -one.record.id))
