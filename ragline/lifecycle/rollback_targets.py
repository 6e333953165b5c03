"""Chooses the retired generation to which a rollback returns, or says why it cannot return."""

from __future__ import annotations

from ragline.errors import GenerationStateError
from ragline.lifecycle.generations import Generation
from ragline.lifecycle.releases import Release


def list_usable(known: list[Generation]) -> list[Generation]:
    """Return the retired generations that are not held. A rollback never returns to a held one."""
    return [one for one in known if one.state == "retired" and one.held_at is None]


def choose_retired(collection: str, known: list[Generation], target: Release | None) -> Generation:
    """Return the retired generation of the release `target`.

    Without such a generation, return the generation that was retired last. `known` are the
    generations of the collection that are not dropped.

    Raises:
        GenerationStateError: no retired generation can be returned to.
    """
    retired = list_usable(known)
    if not retired:
        raise GenerationStateError(_describe_lack(collection, known))
    last = max(retired, key=lambda one: (one.retired_at is not None, one.retired_at, one.id))
    return next((one for one in retired if target and one.id == target.generation_id), last)


def _describe_lack(collection: str, known: list[Generation]) -> str:
    lack = f"collection {collection} has no retired generation to return to"
    held = [one.id for one in known if one.state == "retired"]
    if held:
        return (
            f"{lack}: generation {held[-1]} was itself rolled back; to make it live, run "
            f"`ragline generation promote {held[-1]}`"
        )
    if not any(one.state == "live" for one in known):
        return f"{lack}, and no live one; `ragline sync` builds and promotes its first one"
    return (
        f"{lack}; a retired one is dropped after one day. Restore the old settings, then run "
        f"`ragline generation build {collection}`"
    )


def check_live(collection: str, live: Generation | None, expected_id: int | None) -> None:
    """Check that the generation `expected_id` is live. Without an id, nothing is checked.

    Raises:
        GenerationStateError: another generation is live.
    """
    live_id = None if live is None else live.id
    if expected_id not in (None, live_id):
        raise GenerationStateError(
            f"generation {expected_id} of {collection} is not live any more; generation {live_id} "
            f"is; `ragline generation list {collection}` shows all"
        )
