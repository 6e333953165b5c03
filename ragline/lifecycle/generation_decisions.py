"""Carries out what an operator decides about a generation: promote, roll back, refuse, drop.

Each decision is one transaction and takes effect at its commit: the service reads the live
generation with each search. The trail (`generation_events`) has who decided it, and why.
`generation_notices` says which decision the settings of a collection wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import (
    GenerationStateError,
    PromotionRefusedError,
    UnknownCollectionError,
)
from ragline.lifecycle.candidate_proof import prove_candidate
from ragline.lifecycle.complete_candidates import check_complete, wait_for_sync
from ragline.lifecycle.generation_records import (
    GenerationRecord,
    check_collection,
    find_record,
)
from ragline.lifecycle.generations import (
    DROP_WAIT,
    Generation,
    abandon_generations,
    drop_generation,
    find_live,
    list_undropped,
    lock_collection,
    name_change,
    promote_generation,
    try_delete_refused_entries,
)
from ragline.lifecycle.open_generations import list_differences
from ragline.lifecycle.release_conditions import (
    Basis,
    Obstacle,
    find_basis,
    name_basis,
)
from ragline.lifecycle.search_index import count_unindexed, finish_collection
from ragline.storage.database import Database
from ragline.storage.database_errors import is_deadlock, is_lock_timeout
from ragline.storage.statements import load_statement

# Why a generation may become live: the gate passed it; or it agrees with the ledger, and its
# collection has no golden set; or it was live before.
Grounds = Literal["gate", "sync_proof", "earlier_promotion"]


# The time that a decision waits for a run that writes entries. A batch of entries takes seconds.
DECISION_WAIT = "10s"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, and why. The trail of the generation has both.

    `is_forced` promotes a candidate that the gate has not passed.
    """

    changed_by: str
    reason: str | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Promotion:
    """The generation that a decision made live, and the one that it retired.

    `unindexed` counts the readable documents that the new live generation does not contain with
    their present text; the next sync indexes them. `report_id` is the report of the gate that the
    promotion is based on. `is_forced` says that the gate has not passed the generation.
    """

    collection: str
    generation: int
    retired_generation: int | None
    unindexed: int
    report_id: int | None = None
    is_forced: bool = False
    based_on: Grounds = "earlier_promotion"


@wait_for_sync
def promote_candidate(
    database: Database, configuration: Configuration, collection: str, decision: Decision
) -> Promotion:
    """Make the candidate of a collection live.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
        GenerationStateError: the collection has no candidate.
        IncompleteGenerationError: the candidate lacks readable documents.
        PromotionRefusedError: the gate has not passed it, or an approval is missing.
    """
    with _deciding(database, f"a generation of {collection}") as connection:
        check_collection(connection, collection)
        collection_id = lock_collection(connection, collection)
        known = list_undropped(connection, collection)
        candidate = next((one for one in reversed(known) if one.state == "candidate"), None)
        if candidate is None:
            raise GenerationStateError(_describe_lack(collection, known))
        check_complete(connection, collection, collection_id, candidate)
        basis = _decide_basis(database, connection, configuration, collection, candidate, decision)
        return _promote(connection, collection, collection_id, candidate, (decision, basis))


@wait_for_sync
def promote_by_id(
    database: Database, configuration: Configuration, generation_id: int, decision: Decision
) -> Promotion:
    """Make a candidate or a retired generation live.

    A generation that was retired without a decision against it is older than the live one. To
    return to it is a rollback, so the generation that it replaces is held.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: its state does not allow a promotion.
        IncompleteGenerationError: it is a candidate that lacks readable documents.
        PromotionRefusedError: the gate has not passed it, or an approval is missing.
    """
    with _deciding(database, f"generation {generation_id} or the live one") as connection:
        record = find_record(connection, generation_id)
        collection_id = lock_collection(connection, record.collection)
        known = list_undropped(connection, record.collection)
        found = next((one for one in known if one.id == generation_id), None)
        if found is None or found.state not in ("candidate", "retired"):
            record = find_record(connection, generation_id)
            raise GenerationStateError(_describe_state(record, "promoted"))
        check_complete(connection, record.collection, collection_id, found)
        basis = _decide_basis(
            database, connection, configuration, record.collection, found, decision
        )
        return _promote(connection, record.collection, collection_id, found, (decision, basis))


def roll_back(
    database: Database, collection: str, decision: Decision, *, replaced_id: int | None = None
) -> Promotion:
    """Make the generation live again that was live before, and hold the one that it replaces.

    A generation that an operator decided against is left out. The rollback does not wait for
    documents that the older generation does not contain yet: they become `pending`. `replaced_id`
    names the only generation that may be replaced.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
        GenerationStateError: there is no generation to return to, or another one is live.
    """
    with _deciding(database, f"a generation of {collection}") as connection:
        check_collection(connection, collection)
        collection_id = lock_collection(connection, collection)
        known = list_undropped(connection, collection)
        _check_live(collection, find_live(known), replaced_id)
        retired = [one for one in known if one.state == "retired" and one.held_at is None]
        if not retired:
            raise GenerationStateError(
                f"collection {collection} has no retired generation to return to; a retired one is "
                "dropped after one day. Restore the old settings, then run "
                f"`ragline generation build {collection}`"
            )
        last = max(retired, key=lambda one: (one.retired_at is not None, one.retired_at, one.id))
        return _promote(connection, collection, collection_id, last, (decision, Basis()))


def _check_live(collection: str, live: Generation | None, expected_id: int | None) -> None:
    live_id = None if live is None else live.id
    if expected_id not in (None, live_id):
        raise GenerationStateError(
            f"generation {expected_id} of {collection} is not live any more; generation {live_id} "
            f"is; `ragline generation list {collection}` shows all"
        )


def refuse_generation(database: Database, generation_id: int, decision: Decision) -> None:
    """Refuse a candidate: it receives no changes, and its table is dropped.

    If a worker uses the table now, the next sync drops it.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: it is not a candidate.
    """
    with _deciding(database, f"generation {generation_id}") as connection:
        record = _lock_record(connection, generation_id)
        if record.state != "candidate":
            raise GenerationStateError(_describe_state(record, "refused"))
        name_change(connection, decision.changed_by, decision.reason)
        statement = load_statement("lifecycle/refuse_generation")
        refused = connection.execute(statement, {"generation_id": generation_id})
        if not refused.rowcount:
            record = find_record(connection, generation_id)
            raise GenerationStateError(_describe_state(record, "refused"))
    try_delete_refused_entries(database, generation_id)


def drop_by_decision(
    database: Database, configuration: Configuration, generation_id: int, decision: Decision
) -> None:
    """Drop a generation that is not live, with its table. An unfinished one is abandoned first.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: it is live or dropped already; or a worker is writing its table; or
            the next sync would build and promote it again.
    """
    with _deciding(database, f"generation {generation_id}", DROP_WAIT) as connection:
        record = _lock_record(connection, generation_id)
        if record.state in ("live", "dropped"):
            raise GenerationStateError(_describe_state(record, "dropped"))
        _refuse_vain_drop(connection, configuration, record)
        name_change(connection, decision.changed_by, decision.reason)
        abandon_generations(connection, [generation_id])
        drop_generation(connection, generation_id)


@contextmanager
def _deciding(database: Database, what: str, wait: str | None = None) -> Iterator[Connection]:
    """A transaction that changes the state of a generation. It waits for a writer for some time.

    Raises:
        GenerationStateError: a run was writing `what` all this time. Nothing was changed.
    """
    try:
        with database.begin() as connection:
            connection.exec_driver_sql(f"set local lock_timeout = '{wait or DECISION_WAIT}'")
            yield connection
    except DBAPIError as error:
        # A drop locks the table first, and a writer locks the row of the generation first.
        if not is_lock_timeout(error) and not is_deadlock(error):
            raise
        raise GenerationStateError(
            f"a run is writing {what}; nothing was changed; try again when it has ended"
        ) from error


def _refuse_vain_drop(
    connection: Connection, configuration: Configuration, record: GenerationRecord
) -> None:
    """Refuse to drop what the next sync would build and promote again."""
    asking = [
        settings.name
        for settings in configuration.collections
        if settings.name == record.collection and settings.build == "automatic"
        for one in list_undropped(connection, settings.name)
        if one.id == record.id and not list_differences(one, settings)
    ]
    if asking:
        raise GenerationStateError(
            f"the settings of {record.collection} ask for generation {record.id}, so with `build: "
            "automatic` the next sync would build and promote it again; change the settings first"
        )


def _lock_record(connection: Connection, generation_id: int) -> GenerationRecord:
    """The generation, after its collection is locked."""
    lock_collection(connection, find_record(connection, generation_id).collection)
    return find_record(connection, generation_id)


def _decide_basis(
    database: Database,
    connection: Connection,
    configuration: Configuration,
    collection: str,
    chosen: Generation,
    decision: Decision,
) -> Basis:
    """Find what a promotion is based on.

    Raises:
        PromotionRefusedError: the gate has not passed the candidate, and the decision does not
            force the promotion; or an approval is missing.
    """
    settings = _find_settings(configuration, collection)
    live = find_live(list_undropped(connection, collection))
    basis = find_basis(connection, settings, chosen, live)
    if chosen.state == "candidate" and not basis.is_gated:
        faults = prove_candidate(database, configuration, collection, chosen).faults
        if faults:
            basis = replace(basis, gate_obstacle=_describe_faults(chosen, collection, faults))
    refusing = basis.approval_obstacle if decision.is_forced else basis.obstacle
    if refusing is not None:
        raise PromotionRefusedError(refusing.text)
    return basis


def _describe_faults(chosen: Generation, collection: str, faults: Sequence[str]) -> Obstacle:
    return Obstacle(
        f"generation {chosen.id} of {collection} does not agree with the ledger: "
        f"{'; '.join(faults)}. Refuse it with `ragline generation refuse {chosen.id}`, and build "
        f"it again with `ragline generation build {collection}`"
    )


def _find_settings(configuration: Configuration, collection: str) -> CollectionSettings | None:
    try:
        return configuration.collection(collection)
    except UnknownCollectionError:
        return None


def _promote(
    connection: Connection,
    collection: str,
    collection_id: int,
    chosen: Generation,
    decided: tuple[Decision, Basis],
) -> Promotion:
    decision, basis = decided
    live = find_live(list_undropped(connection, collection))
    unindexed = count_unindexed(connection, collection_id, chosen.id)
    # The removal of documents can abandon a candidate without the lock of the collection.
    locked = connection.execute(
        load_statement("lifecycle/lock_state"), {"generation_id": chosen.id}
    )
    if locked.scalar_one() != chosen.state:
        record = find_record(connection, chosen.id)
        raise GenerationStateError(_describe_state(record, "promoted"))
    is_forced = basis.gate_obstacle is not None
    name_change(connection, decision.changed_by, decision.reason)
    name_basis(connection, basis.report_id, is_forced=is_forced)
    grounds: Grounds = "gate" if basis.is_gated else "sync_proof"
    if chosen.state == "retired":
        grounds = "earlier_promotion"
    is_return = chosen.state == "retired" and chosen.held_at is None
    promote_generation(
        connection, collection_id, chosen.id, is_decided=True, is_replaced_held=is_return
    )
    if unindexed:
        reopen = load_statement("lifecycle/reopen_unindexed_documents")
        parameters = {"collection_id": collection_id, "generation_id": chosen.id}
        connection.execute(reopen, parameters)
    finish_collection(connection, collection_id, None)
    return Promotion(
        collection, chosen.id, None if live is None else live.id, unindexed,
        basis.report_id, is_forced, grounds,
    )  # fmt: skip


def _describe_lack(collection: str, known: list[Generation]) -> str:
    """Why a collection has nothing to promote, with the command that helps."""
    building = [one.id for one in known if one.state == "building"]
    if building:
        return (
            f"collection {collection} has no candidate: generation {building[-1]} is still being "
            f"built; `ragline generation build {collection}` completes it"
        )
    return (
        f"collection {collection} has no candidate to promote; "
        f"`ragline generation build {collection}` builds one for the settings, and "
        "`ragline generation list` shows all generations"
    )


def _describe_state(record: GenerationRecord, step: str) -> str:
    """Why a generation cannot be promoted, refused or dropped, with the command that helps."""
    build = f"`ragline generation build {record.collection}`"
    reasons = {
        "building": f"it is still being built; {build} completes it",
        "candidate": "it is a candidate",
        "live": f"it is live; `ragline generation rollback {record.collection}` returns to the "
        "previous generation",
        "retired": "it is retired; only a candidate can be refused",
        "refused": f"it was refused, and its entries are deleted; {build} builds it again",
        "abandoned": f"the settings no longer ask for it; restore them, then run {build}",
        "dropped": f"its table was dropped; restore its settings, then run {build}",
    }
    return (
        f"generation {record.id} of {record.collection} cannot be {step}: {reasons[record.state]}"
    )
