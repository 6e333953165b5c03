"""Carries out what an operator decides about a generation: promote, roll back, refuse, drop.

Each decision is one transaction. It takes effect at its commit, because the service reads the live
generation and the release for each search. The trail (`generation_events`) records who decided, and
why. A promotion also releases the search settings of the configuration file, and a rollback returns
to the earlier search settings (`releases`). `generation_notices` says for which decision the
settings of a collection wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Connection

from ragline.configuration import Configuration
from ragline.errors import GenerationStateError
from ragline.lifecycle.complete_candidates import check_complete, wait_for_sync
from ragline.lifecycle.decision_messages import describe_lack, describe_state
from ragline.lifecycle.decision_transactions import open_decision
from ragline.lifecycle.forced_releases import describe_force
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
from ragline.lifecycle.promotion_basis import decide_basis, find_resettled
from ragline.lifecycle.release_conditions import Basis, name_basis
from ragline.lifecycle.releases import (
    ReleaseNote,
    find_release,
    find_rollback_target,
    find_served_changes,
    find_unreleased,
    release_again,
    release_settings,
    return_settings,
)
from ragline.lifecycle.rollback_targets import check_live, choose_retired, list_usable
from ragline.lifecycle.search_index import count_unindexed, finish_collection
from ragline.storage.database import Database
from ragline.storage.statements import load_statement

# Why a promotion is permitted. `gate`: the gate passed the generation or the search settings.
# `sync_proof`: the collection has no golden set, and the generation agrees with the ledger.
# `earlier_promotion`: the generation was live before. `no_golden_set`: only search settings change,
# and the collection has no golden set.
Grounds = Literal["gate", "sync_proof", "earlier_promotion", "no_golden_set"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, and why. The trail of the generation records both.

    If `is_forced` is set, a candidate is promoted in spite of the gate, a failed blocking check or
    a difference from the ledger. It does not replace an approval.
    """

    changed_by: str
    reason: str | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Promotion:
    """The generation that a decision made live, and the generation that it retired.

    `unindexed` counts the readable documents that the new live generation does not contain with
    their present text. The next sync indexes them. `report_id` is the report of the gate that the
    promotion is based on. `is_forced` says that an obstacle was overruled, and `forced_against`
    describes this obstacle. If only search settings changed, `settings` contains their names,
    `generation` is the unchanged live generation, and `retired_generation` is None.
    `served_settings` has the value of each search setting that changed for searches, also if the
    generation changed. `undone_force` says which forced decision a rollback has undone, or is None.
    """

    collection: str
    generation: int
    retired_generation: int | None
    unindexed: int
    report_id: int | None = None
    is_forced: bool = False
    based_on: Grounds = "earlier_promotion"
    settings: tuple[str, ...] = ()
    forced_against: str | None = None
    served_settings: Mapping[str, Any] = field(default_factory=dict)
    undone_force: str | None = None


@wait_for_sync
def promote_candidate(
    database: Database, configuration: Configuration, collection: str, decision: Decision
) -> Promotion:
    """Make the candidate of a collection live, with the search settings of `configuration`.

    If there is no candidate, changed search settings are released with the live generation.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
        GenerationStateError: the collection has neither a candidate nor changed search settings;
            or a run was writing a generation for too long.
        IncompleteGenerationError: the candidate lacks readable documents.
        PromotionRefusedError: the gate has not passed the candidate, a blocking check of a source
            has failed, the candidate does not agree with the ledger, or an approval is missing.
    """
    with open_decision(database, f"a generation of {collection}") as connection:
        check_collection(connection, collection)
        collection_id = lock_collection(connection, collection)
        known = list_undropped(connection, collection)
        candidate = next((one for one in reversed(known) if one.state == "candidate"), None)
        if candidate is None:
            candidate = find_resettled(connection, configuration, collection, known)
        if candidate is None:
            raise GenerationStateError(describe_lack(collection, known))
        check_complete(connection, collection, collection_id, candidate)
        basis = decide_basis(
            database, connection, configuration, collection, candidate,
            is_forced=decision.is_forced,
        )  # fmt: skip
        return _promote(connection, collection, collection_id, candidate, (decision, basis))


@wait_for_sync
def promote_by_id(
    database: Database, configuration: Configuration, generation_id: int, decision: Decision
) -> Promotion:
    """Make a candidate or a retired generation live, or release new settings of the live one.

    The promotion of a retired generation is a rollback, unless the retired generation is held. A
    rollback holds the generation that was live until then.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: the state of the generation does not allow a promotion, or a run was
            writing a generation for too long.
        IncompleteGenerationError: the generation is a candidate and lacks readable documents.
        PromotionRefusedError: the gate has not passed the candidate, a blocking check of a source
            has failed, the candidate does not agree with the ledger, or an approval is missing.
    """
    with open_decision(database, f"generation {generation_id} or the live one") as connection:
        record = find_record(connection, generation_id)
        collection_id = lock_collection(connection, record.collection)
        known = list_undropped(connection, record.collection)
        found = next((one for one in known if one.id == generation_id), None)
        if found is not None and found.state == "live":
            found = find_resettled(connection, configuration, record.collection, known)
        if found is None or found.state not in ("candidate", "retired", "live"):
            raise _refuse_step(connection, generation_id, "promoted")
        check_complete(connection, record.collection, collection_id, found)
        basis = decide_basis(
            database, connection, configuration, record.collection, found,
            is_forced=decision.is_forced,
        )  # fmt: skip
        return _promote(connection, record.collection, collection_id, found, (decision, basis))


def roll_back(
    database: Database, collection: str, decision: Decision, *, replaced_id: int | None = None
) -> Promotion:
    """Return to the generation and the search settings of the previous release.

    No sync promotes the replaced generation or releases the replaced settings. A held generation
    never becomes live by a rollback. The rollback does not wait for documents that the older
    generation does not contain yet: these documents become `pending`. If `replaced_id` is given,
    the generation with this id must be live, and the rollback always replaces it.

    Raises:
        UnknownCollectionError: the database has no collection of this name.
        GenerationStateError: there is no generation to return to; `replaced_id` is not live; or a
            run was writing a generation for too long.
    """
    with open_decision(database, f"a generation of {collection}") as connection:
        check_collection(connection, collection)
        collection_id = lock_collection(connection, collection)
        known = list_undropped(connection, collection)
        live = find_live(known)
        check_live(collection, live, replaced_id)
        retired = list_usable(known)
        usable = [*retired, live] if live is not None and replaced_id is None else retired
        target = find_rollback_target(connection, collection, live, usable)
        if target is not None and live is not None and target.generation_id == live.id:
            undone = describe_force(connection, collection, None)
            note = ReleaseNote(decision.changed_by, decision.reason)
            changed = return_settings(connection, collection, target, note)
            return Promotion(
                collection, live.id, None, 0, settings=tuple(changed), served_settings=changed,
                undone_force=undone,
            )  # fmt: skip
        chosen = choose_retired(collection, known, target)
        undone = describe_force(connection, collection, live)
        promotion = _promote(connection, collection, collection_id, chosen, (decision, Basis()))
        return replace(promotion, undone_force=undone)


def refuse_generation(database: Database, generation_id: int, decision: Decision) -> None:
    """Refuse a candidate: it receives no changes, and its table is dropped.

    If a worker uses the table now, the next sync drops it.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: the generation is not a candidate.
    """
    with open_decision(database, f"generation {generation_id}") as connection:
        record = _lock_record(connection, generation_id)
        if record.state != "candidate":
            raise _refuse_step(connection, generation_id, "refused")
        name_change(connection, decision.changed_by, decision.reason)
        statement = load_statement("lifecycle/refuse_generation")
        refused = connection.execute(statement, {"generation_id": generation_id})
        if not refused.rowcount:
            raise _refuse_step(connection, generation_id, "refused")
    try_delete_refused_entries(database, generation_id)


def drop_by_decision(
    database: Database, configuration: Configuration, generation_id: int, decision: Decision
) -> None:
    """Drop a generation that is not live, with its table. An unfinished one is abandoned first.

    Raises:
        UnknownGenerationError: the database has no generation of this id.
        GenerationStateError: the generation is live or already dropped; a worker is writing its
            table; or the next sync would build and promote the generation again.
    """
    with open_decision(database, f"generation {generation_id}", DROP_WAIT) as connection:
        record = _lock_record(connection, generation_id)
        if record.state in ("live", "dropped"):
            raise _refuse_step(connection, generation_id, "dropped")
        _refuse_repeated_build(connection, configuration, record)
        name_change(connection, decision.changed_by, decision.reason)
        abandon_generations(connection, [generation_id])
        drop_generation(connection, generation_id)


def _refuse_step(connection: Connection, generation_id: int, step: str) -> GenerationStateError:
    """Return the error that says why the state of a generation does not allow a step."""
    record = find_record(connection, generation_id)
    known = list_undropped(connection, record.collection)
    return GenerationStateError(describe_state(record, step, known))


def _refuse_repeated_build(
    connection: Connection, configuration: Configuration, record: GenerationRecord
) -> None:
    """Refuse to drop a generation that the next sync would build and promote again.

    Raises:
        GenerationStateError: the configuration asks for the generation, with `build: automatic`.
    """
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
    """Lock the collection of a generation; return the generation as it is after the lock."""
    lock_collection(connection, find_record(connection, generation_id).collection)
    return find_record(connection, generation_id)


def _promote_settings(
    connection: Connection, collection: str, live: Generation, decided: tuple[Decision, Basis]
) -> Promotion:
    """Release the search settings of the configuration file with the live generation."""
    decision, basis = decided
    assert basis.settings is not None
    names = find_unreleased(connection, basis.settings)
    release_settings(connection, collection, live.id, basis.settings, _make_note(decision, basis))
    return Promotion(
        collection, live.id, None, 0, basis.report_id, basis.forceable_obstacle is not None,
        "gate" if basis.is_gated else "no_golden_set", tuple(names), _describe_force(basis),
    )  # fmt: skip


def _describe_force(basis: Basis) -> str | None:
    return None if basis.forceable_obstacle is None else basis.forceable_obstacle.text


def _make_note(decision: Decision, basis: Basis) -> ReleaseNote:
    obstacle = basis.forceable_obstacle
    return ReleaseNote(
        decision.changed_by, decision.reason, basis.report_id,
        is_forced=obstacle is not None, forced_against=None if obstacle is None else obstacle.cause,
    )  # fmt: skip


def _promote(
    connection: Connection,
    collection: str,
    collection_id: int,
    chosen: Generation,
    decided: tuple[Decision, Basis],
) -> Promotion:
    before = find_release(connection, collection)
    if chosen.state == "live":
        promotion = _promote_settings(connection, collection, chosen, decided)
    else:
        promotion = _promote_generation(connection, collection, collection_id, chosen, decided)
    return replace(promotion, served_settings=find_served_changes(connection, collection, before))


def _promote_generation(
    connection: Connection,
    collection: str,
    collection_id: int,
    chosen: Generation,
    decided: tuple[Decision, Basis],
) -> Promotion:
    decision, basis = decided
    live = find_live(list_undropped(connection, collection))
    unindexed = count_unindexed(connection, collection_id, chosen.id)
    # The lock of the collection is not enough: the removal of documents can abandon a candidate
    # without this lock.
    locked = connection.execute(
        load_statement("lifecycle/lock_state"), {"generation_id": chosen.id}
    )
    if locked.scalar_one() != chosen.state:
        raise _refuse_step(connection, chosen.id, "promoted")
    is_forced = basis.forceable_obstacle is not None
    name_change(connection, decision.changed_by, decision.reason)
    name_basis(connection, basis.report_id, is_forced=is_forced)
    grounds: Grounds = "gate" if basis.is_gated else "sync_proof"
    if chosen.state == "retired":
        grounds = "earlier_promotion"
    is_return = chosen.state == "retired" and chosen.held_at is None
    promote_generation(
        connection, collection_id, chosen.id, is_decided=True, is_replaced_held=is_return
    )
    note = _make_note(decision, basis)
    if chosen.state == "retired":
        release_again(connection, collection, chosen.id, note, is_return=is_return)
    else:
        release_settings(connection, collection, chosen.id, basis.settings, note)
    if unindexed:
        reopen = load_statement("lifecycle/reopen_unindexed_documents")
        parameters = {"collection_id": collection_id, "generation_id": chosen.id}
        connection.execute(reopen, parameters)
    finish_collection(connection, collection_id, None)
    return Promotion(
        collection, chosen.id, None if live is None else live.id, unindexed,
        basis.report_id, is_forced, grounds, forced_against=_describe_force(basis),
    )  # fmt: skip
