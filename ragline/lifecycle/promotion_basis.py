"""Finds what a promotion by an operator is based on, or refuses the promotion.

`release_conditions` finds the report of the gate. If the collection has no golden set, the
candidate must agree with the ledger instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from ragline.configuration import CollectionSettings, Configuration
from ragline.errors import PromotionRefusedError, UnknownCollectionError
from ragline.lifecycle.candidate_proof import prove_candidate
from ragline.lifecycle.generations import Generation, find_live, list_undropped
from ragline.lifecycle.release_conditions import Basis, Obstacle, find_basis
from ragline.lifecycle.releases import find_unreleased
from ragline.storage.database import Database


def decide_basis(
    database: Database,
    connection: Connection,
    configuration: Configuration,
    collection: str,
    chosen: Generation,
    *,
    is_forced: bool,
) -> Basis:
    """Find what the promotion of `chosen` is based on.

    Raises:
        PromotionRefusedError: an approval is missing. Without `is_forced`, it is also raised if the
            gate has not passed the candidate, a blocking check of a source has failed, or the
            candidate does not agree with the ledger.
    """
    settings = _find_settings(configuration, collection)
    live = find_live(list_undropped(connection, collection))
    basis = find_basis(connection, settings, chosen, live)
    if chosen.state == "candidate" and not basis.is_gated:
        faults = prove_candidate(database, configuration, collection, chosen).faults
        if faults:
            basis = replace(basis, forceable_obstacle=_describe_faults(chosen, collection, faults))
    refusing = basis.approval_obstacle if is_forced else basis.obstacle
    if refusing is not None:
        raise PromotionRefusedError(refusing.text)
    return basis


def find_resettled(
    connection: Connection, configuration: Configuration, collection: str, known: list[Generation]
) -> Generation | None:
    """Return the live generation if its release has other search settings than `configuration`.

    Otherwise return None.
    """
    settings = _find_settings(configuration, collection)
    if settings is None or not find_unreleased(connection, settings):
        return None
    return find_live(known)


def _describe_faults(chosen: Generation, collection: str, faults: Sequence[str]) -> Obstacle:
    cause = f"does not agree with the ledger: {'; '.join(faults)}"
    return Obstacle(
        f"generation {chosen.id} of {collection} {cause}. Refuse it with `ragline generation "
        f"refuse {chosen.id} --reason …`, and build it again with `ragline generation build "
        f"{collection}`",
        f"it {cause}",
    )


def _find_settings(configuration: Configuration, collection: str) -> CollectionSettings | None:
    try:
        return configuration.collection(collection)
    except UnknownCollectionError:
        return None
