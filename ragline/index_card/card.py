"""An index card, as plain values.

An index card contains no text of a document, no document id and no query. So people who may not
read the documents may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ragline.gate.report import Outcome, Verdict
from ragline.status import ClockState

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CardModel:
    """The embedding model of a generation.

    `files_hash` is the SHA-256 hash of the files that determine a vector. `licence` is `unknown` if
    no file states it. `licence_origin` says where the licence was found, or why it is unknown.
    """

    name: str
    dimension: int
    max_tokens: int
    query_prefix: str
    document_prefix: str
    files_hash: str
    licence: str
    licence_origin: str


@dataclass(frozen=True, slots=True)
class CardFingerprints:
    """The fingerprints of the embedding space, the chunker and the parsers.

    `parsers` has several values if some documents were last read by an older parser. `content`
    changes with each sync that changes the index. It is None if the table was deleted.
    """

    space: str
    chunker: str
    parsers: tuple[str, ...]
    content: str | None


@dataclass(frozen=True, slots=True)
class CardIndex:
    """The size of a generation, and its vector index.

    `size_bytes` is the size of its table with all indexes; 0 if the table was deleted.
    `vector_index` is `hnsw` or `exact scan`. `parameters` are those of the vector index.
    """

    documents: int
    entries: int
    lexemes: int
    size_bytes: int
    vector_index: str
    vector_index_bytes: int
    parameters: dict[str, int]


@dataclass(frozen=True, slots=True)
class CardClock:
    """A clock of a source: its limit and its present time in seconds, and its state."""

    within_seconds: float
    waiting_seconds: float
    state: ClockState


@dataclass(frozen=True, slots=True)
class CardSource:
    """A source of the collection, and what the generation contains of it.

    `states` counts the documents of the source by state. `documents` and `entries` count what the
    generation contains. `age_seconds` is the time since the last complete listing.
    `newest_change_at` and `oldest_change_at` are the newest and the oldest time of a change that
    the source reports.
    """

    name: str
    kind: str
    states: dict[str, int]
    documents: int
    entries: int
    newest_change_at: datetime | None
    oldest_change_at: datetime | None
    listed_at: datetime | None
    age_seconds: float | None
    visible: CardClock
    forgotten: CardClock


@dataclass(frozen=True, slots=True)
class CardEvaluation:
    """The newest evaluation of a generation for one golden set version, one split and one mode."""

    id: int
    evaluated_at: datetime
    mode: str
    rerank: bool
    golden_version: str
    split: str | None
    measures: dict[str, float]
    queries: int
    code_version: str | None


@dataclass(frozen=True, slots=True)
class CardCheck:
    """A check of a report of the gate. `outcome` is its result, and `reason` explains it."""

    name: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class CardGate:
    """The last report of the gate about the generation. `report_id` is the id of this report.

    `reasons` has the reasons of the checks that did not pass, and `checks` has all checks.
    """

    report_id: int
    verdict: Verdict
    reasons: tuple[str, ...]
    live_id: int | None
    golden_version: str | None
    code_version: str
    seed: int
    asked_by: str
    judged_at: datetime
    checks: tuple[CardCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class CardApproval:
    """The approval of a generation by a person. It refers to the report of the gate `report_id`."""

    approved_at: datetime
    approved_by: str
    reason: str
    report_id: int


@dataclass(frozen=True, slots=True)
class CardEvent:
    """A change of a generation's state. `from_state` is None for its creation.

    `report_id` and `is_forced` belong to a promotion. `report_id` is the report of the gate that
    the promotion is based on. `is_forced` says that a person promoted the generation in spite of
    the gate, a failed blocking check or a difference from the ledger.
    """

    from_state: str | None
    to_state: str
    changed_at: datetime
    changed_by: str
    reason: str | None
    report_id: int | None
    is_forced: bool


@dataclass(frozen=True, slots=True)
class UnreadDocuments:
    """The number of a source's documents that could not be read, for one state and one error.

    `reason` is the name of the error.
    """

    source: str
    state: str
    reason: str
    documents: int


@dataclass(frozen=True, slots=True)
class HeldDocuments:
    """The number of a source's documents whose removal an operator must confirm."""

    source: str
    documents: int
    since: datetime


@dataclass(frozen=True, slots=True)
class StaleSource:
    """A source that is late, that was not checked in time, or that does not answer."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnansweredTopic:
    """The number of queries on one topic that had no good hit.

    `name` consists of the most frequent word stems of these queries.
    """

    name: str
    queries: int


@dataclass(frozen=True, slots=True)
class CardGaps:
    """What an index is known to lack."""

    unread: tuple[UnreadDocuments, ...]
    held: tuple[HeldDocuments, ...]
    stale: tuple[StaleSource, ...]
    unanswered: tuple[UnansweredTopic, ...]


@dataclass(frozen=True, slots=True)
class IndexCard:
    """The index card of a generation.

    `settings` contains the chunking, the language and the version of the text analysis of the
    generation. `search` contains the present search settings of the collection. `gate` is None if
    the gate never judged the generation. `trail` contains each change of the generation's state,
    oldest first. `code_version` is the version of Ragline that made the index card.
    """

    collection: str
    generation: int
    state: str
    made_at: datetime
    code_version: str
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    held_at: datetime | None
    model: CardModel
    fingerprints: CardFingerprints
    settings: dict[str, Any]
    search: dict[str, Any]
    index: CardIndex
    sources: tuple[CardSource, ...]
    gate: CardGate | None
    evaluations: tuple[CardEvaluation, ...]
    gaps: CardGaps
    approvals: tuple[CardApproval, ...]
    trail: tuple[CardEvent, ...]
