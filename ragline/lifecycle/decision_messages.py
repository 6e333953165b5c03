"""Error messages that say why a generation cannot be promoted, refused or dropped.

Each message names the command that helps. `generation_decisions` raises errors with these messages.
"""

from __future__ import annotations

from ragline.lifecycle.generation_records import GenerationRecord
from ragline.lifecycle.generations import Generation, find_live
from ragline.lifecycle.rollback_targets import list_usable


def describe_lack(collection: str, known: list[Generation]) -> str:
    """Return why a collection has no candidate to promote, with the command that helps.

    `known` are all generations of the collection that are not dropped.
    """
    build = _name_build(collection, known)
    building = [one.id for one in known if one.state == "building"]
    if building:
        return (
            f"collection {collection} has no candidate: generation {building[-1]} is still being "
            f"built; {build} completes it"
        )
    return (
        f"collection {collection} has no candidate to promote; {build} builds one for the "
        "settings, and `ragline generation list` shows all generations"
    )


def describe_state(record: GenerationRecord, step: str, known: list[Generation]) -> str:
    """Return why the state of a generation does not allow a step, with the command that helps.

    `step` is `promoted`, `refused` or `dropped`. `known` are all generations of the collection that
    are not dropped.
    """
    build = _name_build(record.collection, known)
    live = "it is live"
    if list_usable(known):
        rollback = f"`ragline generation rollback {record.collection}`"
        live = f"{live}; {rollback} returns to the previous release"
    reasons = {
        "building": f"it is still being built; {build} completes it",
        "candidate": "it is a candidate",
        "live": live,
        "retired": "it is retired; only a candidate can be refused",
        "refused": f"it was refused, and its entries are deleted; {build} builds it again",
        "abandoned": f"the settings no longer ask for it; restore them, then run {build}",
        "dropped": f"its table was dropped; restore its settings, then run {build}",
    }
    return (
        f"generation {record.id} of {record.collection} cannot be {step}: {reasons[record.state]}"
    )


def _name_build(collection: str, known: list[Generation]) -> str:
    """Return the command that builds a generation. Only a sync builds the first one."""
    if find_live(known) is None:
        return "`ragline sync`"
    return f"`ragline generation build {collection}`"
