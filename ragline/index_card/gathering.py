"""Makes the index card of a generation from what the database stores about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from ragline.code_version import read_code_version
from ragline.configuration import CollectionSettings, Configuration
from ragline.durations import format_duration
from ragline.errors import UnknownGenerationError
from ragline.evaluation.index_state import read_index_state
from ragline.evaluation.stored_evaluations import list_evaluations
from ragline.gate.report import NAMED_DOCUMENTS
from ragline.gate.stored_reports import find_latest_report
from ragline.index_card.card import (
    CardApproval,
    CardCheck,
    CardClock,
    CardEvaluation,
    CardEvent,
    CardFingerprints,
    CardGaps,
    CardGate,
    CardIndex,
    CardSource,
    HeldDocuments,
    IndexCard,
    StaleSource,
    UnansweredTopic,
    UnreadDocuments,
)
from ragline.index_card.model_facts import describe_model
from ragline.lifecycle.releases import use_release
from ragline.quality.daily import read_latest
from ragline.status import Clock, SourceStatus, read_status
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# The defaults of pgvector. They are the parameters of an index that was created without parameters.
DEFAULT_PARAMETERS = {"m": 16, "ef_construction": 64}


def make_card(
    database: Database, configuration: Configuration, collection: str, generation_id: int
) -> IndexCard:
    """Make the card of a generation. Its table can be deleted already. Nothing is written.

    With the database of a tenant, the card contains only rows of this tenant.

    Raises:
        UnknownGenerationError: the collection has no generation with this id.
    """
    row = _read_generation(database, collection, generation_id)
    if row["state"] == "live":
        configuration = use_release(database, configuration, collection)
    now = datetime.now(UTC)
    state = read_index_state(database, collection, generation_id)
    sources = [one for one in read_status(database).sources if one.collection == collection]
    return IndexCard(
        collection=collection,
        generation=generation_id,
        state=row["state"],
        made_at=now,
        code_version=read_code_version(),
        created_at=row["created_at"],
        promoted_at=row["promoted_at"],
        retired_at=row["retired_at"],
        held_at=row["held_at"],
        model=describe_model(row["space"]),
        fingerprints=CardFingerprints(
            space=row["space_fingerprint"],
            chunker=row["chunker_fingerprint"],
            parsers=() if state is None else state.parser_fingerprints,
            content=None if state is None else state.content_fingerprint,
        ),
        settings={
            "chunking": row["chunking"],
            "language": row["language"],
            "analysis_version": row["analysis_version"],
        },
        search=_describe_search(configuration, collection),
        index=_describe_index(row),
        sources=_describe_sources(database, collection, generation_id, sources),
        gate=_describe_gate(database, generation_id),
        evaluations=_list_evaluations(database, collection, generation_id),
        gaps=_find_gaps(database, collection, sources, now),
        approvals=_read_approvals(database, generation_id),
        trail=_read_trail(database, generation_id),
    )


def _read_generation(database: Database, collection: str, generation_id: int) -> RowMapping:
    statement = load_statement("index_card/select_generation")
    parameters = {"collection": collection, "generation_id": generation_id}
    with database.connect() as connection:
        row = connection.execute(statement, parameters).mappings().first()
    if row is None:
        raise UnknownGenerationError(
            f"collection {collection} has no generation {generation_id}; "
            f"`ragline generation list {collection} --all` shows all"
        )
    return row


def _describe_search(configuration: Configuration, collection: str) -> dict[str, Any]:
    known = [one for one in configuration.collections if one.name == collection]
    settings = known[0] if known else CollectionSettings.model_construct(name=collection)
    return {**settings.search.model_dump(mode="json"), "reranker": settings.reranker}


def _describe_index(row: RowMapping) -> CardIndex:
    stated = row["index_parameters"]
    parameters: dict[str, int] = {}
    if stated is not None:
        pairs = (option.partition("=") for option in stated)
        parameters = DEFAULT_PARAMETERS | {name: int(value) for name, _, value in pairs}
    return CardIndex(
        documents=row["documents"],
        entries=row["entries"],
        lexemes=row["lexemes"],
        size_bytes=row["size_bytes"],
        vector_index="exact scan" if stated is None else "hnsw",
        vector_index_bytes=row["index_bytes"],
        parameters=parameters,
    )


def _describe_sources(
    database: Database, collection: str, generation_id: int, known: Iterable[SourceStatus]
) -> tuple[CardSource, ...]:
    statement = load_statement("index_card/select_sources")
    parameters = {"collection": collection, "generation_id": generation_id}
    with database.connect() as connection:
        rows = connection.execute(statement, parameters).mappings()
        contained = {row["source"]: row for row in rows}
    return tuple(
        CardSource(
            name=one.source,
            kind=one.kind,
            states={state: number for state, number in one.documents.items() if number},
            documents=contained[one.source]["documents"],
            entries=contained[one.source]["entries"],
            newest_change_at=contained[one.source]["newest_change_at"],
            oldest_change_at=contained[one.source]["oldest_change_at"],
            listed_at=one.listed_at,
            age_seconds=one.age_seconds,
            visible=_describe_clock(one.visible),
            forgotten=_describe_clock(one.forgotten),
        )
        for one in known
        if one.source in contained
    )


def _describe_clock(clock: Clock) -> CardClock:
    return CardClock(clock.within_seconds, clock.waiting_seconds, clock.state)


def _list_evaluations(
    database: Database, collection: str, generation_id: int
) -> tuple[CardEvaluation, ...]:
    """Return the newest evaluation for each golden set version, split and mode, newest first."""
    newest: dict[tuple[object, ...], CardEvaluation] = {}
    for one in list_evaluations(database, collection, generation_id):
        way = (one.golden_version, one.split, one.mode, one.rerank)
        if way not in newest:
            newest[way] = CardEvaluation(
                one.id, one.evaluated_at, one.mode, one.rerank, one.golden_version, one.split,
                one.measures, one.queries, one.code_version,
            )  # fmt: skip
    return tuple(newest.values())


def _find_gaps(
    database: Database, collection: str, sources: Iterable[SourceStatus], now: datetime
) -> CardGaps:
    statement = load_statement("index_card/count_unread_documents")
    with database.connect() as connection:
        rows = connection.execute(statement, {"collection": collection}).mappings()
        unread = tuple(UnreadDocuments(**row) for row in rows)
    figures = read_latest(database, now.date(), collection).get(collection)
    topics = [] if figures is None else figures.unanswered_topics
    held = [(one.source, one.held) for one in sources if one.held is not None]
    stale = [(one.source, _describe_staleness(one)) for one in sources]
    return CardGaps(
        unread=unread,
        held=tuple(HeldDocuments(name, one.count, one.since) for name, one in held),
        stale=tuple(StaleSource(name, reason) for name, reason in stale if reason is not None),
        unanswered=tuple(UnansweredTopic(one["name"], one["queries"]) for one in topics),
    )


def _describe_staleness(source: SourceStatus) -> str | None:
    """Return why the entries of a source can be out of date. None if no clock exceeds its limit."""
    if source.unreachable_since is not None:
        return f"the source has not answered since {source.unreachable_since:%Y-%m-%d %H:%M} UTC"
    clocks = (
        (source.visible, "a change has waited"),
        (source.forgotten, "a removal has waited"),
    )
    for clock, what in clocks:
        if clock.state == "late":
            waited = format_duration(clock.waiting_seconds)
            return f"{what} {waited}; the limit is {format_duration(clock.within_seconds)}"
    if "unproven" in (source.visible.state, source.forgotten.state):
        return "the source was not checked within the limits of its clocks"
    return None


def _describe_gate(database: Database, generation_id: int) -> CardGate | None:
    found = find_latest_report(database, generation_id)
    if found is None:
        return None
    checks = tuple(
        CardCheck(one.name, one.outcome, _leave_out_documents(one.reason))
        for one in found.report.checks
    )
    return CardGate(
        found.id, found.verdict, tuple(map(_leave_out_documents, found.report.reasons)),
        found.live_id, found.golden_set_version, found.code_version, found.seed, found.asked_by,
        found.created_at, checks,
    )  # fmt: skip


def _leave_out_documents(reason: str) -> str:
    return reason.partition(NAMED_DOCUMENTS)[0]


def _read_approvals(database: Database, generation_id: int) -> tuple[CardApproval, ...]:
    statement = load_statement("index_card/select_approvals")
    with database.connect() as connection:
        rows = connection.execute(statement, {"generation_id": generation_id})
        return tuple(CardApproval(**row) for row in rows.mappings())


def _read_trail(database: Database, generation_id: int) -> tuple[CardEvent, ...]:
    statement = load_statement("index_card/select_trail")
    with database.connect() as connection:
        rows = connection.execute(statement, {"generation_id": generation_id})
        return tuple(CardEvent(**row) for row in rows.mappings())
