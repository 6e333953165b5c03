"""Proposes queries for a golden set, from recorded searches and from headings of documents.

A proposal becomes a part of the golden set only when a person accepts it
(`ragline.golden_set.proposal_answers`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from ragline.errors import IndexNotReadyError
from ragline.golden_set.content import MAX_QUERY_CHARS, make_query_id
from ragline.golden_set.proposal_answers import JudgedDocument, read_rejections
from ragline.golden_set.reading import read_content
from ragline.quality.reformulation import MAX_INTERVAL, RecordedQuery, find_reformulations
from ragline.search.live_generation import read_live_generation
from ragline.storage.database import Database
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

ProposalKind = Literal["feedback", "zero_results", "reformulation", "heading"]
KINDS: tuple[ProposalKind, ...] = get_args(ProposalKind)
# Each kind reads at most this many rows.
MAX_ROWS = 10_000
MAX_SEARCHES = 50_000
MAX_HEADINGS = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a query is proposed, as a kind and in words.

    `count` is the number of records that are the reason: searches or, for feedback, judgements.
    """

    kind: ProposalKind
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """A query that a person can accept for a golden set.

    `id` is the id that the query gets in the golden set. `suggested` contains documents with the
    grades that Ragline suggests for them. It is empty if the records do not show which document
    answers the query.
    """

    id: str
    query: str
    reasons: tuple[Reason, ...]
    suggested: tuple[JudgedDocument, ...] = ()

    @property
    def is_acceptable(self) -> bool:
        """Whether a relevant document is suggested. Only then can the suggestion be accepted."""
        return any(one.grade > 0 for one in self.suggested)


@dataclass(frozen=True, slots=True)
class Records:
    """The searches to read: those of one collection between two times."""

    collection: str
    start: datetime
    end: datetime

    @property
    def parameters(self) -> dict[str, Any]:
        return {"collection": self.collection, "start": self.start, "end": self.end}


# A query, a reason to propose it, and the documents that the reason suggests.
ProposalRow = tuple[str, Reason, tuple[JudgedDocument, ...]]
RowReader = Callable[[ProposalKind], Sequence[ProposalRow]]


def propose_queries(
    database: Database,
    records: Records,
    folder: Path,
    kinds: Collection[ProposalKind] = KINDS,
    read_rows: RowReader | None = None,
) -> list[Proposal]:
    """Propose queries that are neither in the golden set in `folder` nor rejected.

    A query that has several reasons is proposed once, with all its reasons. The proposals are in
    the order of KINDS. Within a kind, the most frequent query is first. `read_rows` replaces
    `read_proposal_rows`.

    Raises:
        GoldenSetError: the golden set is malformed.
    """
    read = read_rows or partial(read_proposal_rows, database, records)
    known = {make_query_id(query.text) for query in read_content(folder).queries.values()}
    excluded = known | read_rejections(folder)
    proposals: dict[str, Proposal] = {}
    for kind in KINDS:
        for query, reason, documents in read(kind) if kind in kinds else ():
            key = make_query_id(query)
            if key in excluded or not 0 < len(query.strip()) <= MAX_QUERY_CHARS:
                continue
            first = proposals.get(key, Proposal(key, query, ()))
            reasons = (*first.reasons, reason)
            suggested = first.suggested or documents
            proposals[key] = Proposal(key, first.query, reasons, suggested)
    return _leave_out_gone(database, records.collection, list(proposals.values()))


def read_proposal_rows(
    database: Database, records: Records, kind: ProposalKind
) -> list[ProposalRow]:
    """Read all queries with a reason of a kind, also those in the golden set, in their order."""
    return list(_READERS[kind](database, records))


def _read_feedback(database: Database, records: Records) -> Iterator[ProposalRow]:
    for query, (documents, count) in _group_feedback(database, records).items():
        relevant = sum(one.grade > 0 for one in documents)
        text = (
            f"clients used or praised {relevant} of the documents that it found"
            if relevant
            else "clients rated every document that they judged as not useful"
        )
        yield query, Reason("feedback", text, count), documents


def _group_feedback(
    database: Database, records: Records
) -> dict[str, tuple[tuple[JudgedDocument, ...], int]]:
    """Return the judged documents and the number of judgements for each query with feedback.

    A document about which the clients disagree is left out.
    """
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/select_query_feedback"),
            records.parameters | {"most": MAX_ROWS},
        ).all()
    grouped: dict[str, tuple[tuple[JudgedDocument, ...], int]] = {}
    for row in rows:
        documents, count = grouped.get(row.query, ((), 0))
        if row.useful == row.not_useful and (row.useful or not row.clicks):
            continue  # The clients disagree.
        # If there are verdicts, clicks do not count.
        grade = int(row.useful > row.not_useful or not row.not_useful)
        added = row.useful + row.not_useful + row.clicks
        grouped[row.query] = (*documents, JudgedDocument(row.document_id, grade)), count + added
    return grouped


def _read_zero_results(database: Database, records: Records) -> Iterator[ProposalRow]:
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/count_unanswered_queries"),
            records.parameters | {"limit": MAX_ROWS},
        ).all()
    # A row is a tuple, so `row.count` is a method and not the column `count`.
    for query, number, _ in rows:
        times = "once" if number == 1 else f"{number:,} times"
        yield query, Reason("zero_results", f"a search found nothing {times}", number), ()


def _read_reformulations(database: Database, records: Records) -> Iterator[ProposalRow]:
    with database.connect() as connection:
        rows = connection.execute(
            load_statement("quality/select_recorded_queries"),
            records.parameters | {"most": MAX_SEARCHES},
        ).all()
    searches = [RecordedQuery(row.client, row.requested_at, row.query) for row in rows]
    pairs = Counter((first.query, later.query) for first, later in find_reformulations(searches))
    answers = _group_feedback(database, records)
    for (query, later), count in pairs.most_common():
        text = f"the same client searched for {later!r} within {MAX_INTERVAL.seconds} seconds"
        documents, _ = answers.get(later, ((), 0))
        relevant = tuple(one for one in documents if one.grade > 0)
        yield query, Reason("reformulation", text, count), relevant


def _read_headings(database: Database, records: Records) -> Iterator[ProposalRow]:
    with database.connect() as connection:
        try:
            live = read_live_generation(connection, records.collection)
        except IndexNotReadyError:
            return
        statement = load_generation_statement("quality/select_unique_headings", live.id)
        rows = connection.execute(statement, {"most": MAX_HEADINGS}).all()
    for row in rows:
        reason = Reason("heading", "the heading occurs in one document only", 0)
        yield row.heading, reason, (JudgedDocument(row.document_id, 1, row.source),)


_READERS: dict[ProposalKind, Callable[[Database, Records], Iterator[ProposalRow]]] = {
    "feedback": _read_feedback,
    "zero_results": _read_zero_results,
    "reformulation": _read_reformulations,
    "heading": _read_headings,
}


def _leave_out_gone(
    database: Database, collection: str, proposals: list[Proposal]
) -> list[Proposal]:
    """Return the proposals without suggestions of documents that the collection no longer has."""
    pairs = list(
        dict.fromkeys((one.source, one.document_id) for p in proposals for one in p.suggested)
    )
    parameters = {
        "collection": collection,
        "sources": [source for source, _ in pairs],
        "document_ids": [document_id for _, document_id in pairs],
    }
    with database.connect() as connection:
        rows = connection.execute(load_statement("quality/select_gone_documents"), parameters)
        gone = {pairs[row.number - 1] for row in rows}
    return [
        replace(
            proposal,
            suggested=tuple(
                one for one in proposal.suggested if (one.source, one.document_id) not in gone
            ),
        )
        if proposal.suggested
        else proposal
        for proposal in proposals
    ]
