"""The steps of a scenario. In each step, the source changes and the system syncs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.churn.source_tree import Change, SourceTree

TEAM = "team-a"
Act = Callable[[SourceTree], list[Change]]


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the source and the syncs that follow it.

    `act` makes the change. `syncs` is the number of syncs that run to their end. If `kill_at` is
    set, another sync runs before them. It is killed after the share `kill_at` of its expected
    duration. If `is_disturbance` is true, a part of the source is temporarily unavailable, and the
    system must not remove it. `needs` names a capability of the system or of the machine. Without
    this capability, the step is not run.
    """

    name: str
    act: Act
    syncs: int = 1
    kill_at: float | None = None
    is_disturbance: bool = False
    needs: str | None = None


def plan_steps(seed: int, crashes: int = 3) -> list[Step]:
    """Return the steps that follow the first index, in order. Equal seeds give equal steps."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return [
        Step("no change", lambda _: [], syncs=3),
        Step("edit 1 %", lambda tree: tree.edit(0.01)),
        Step("delete 1 %", lambda tree: tree.delete(0.01)),
        Step("add 1 %", lambda tree: tree.add(0.01)),
        Step("rename 5 %", lambda tree: tree.rename(0.05)),
        Step("touch 20 %", lambda tree: tree.touch(0.20)),
        Step("shorten one", lambda tree: tree.shorten()),
        Step("duplicate one", lambda tree: tree.duplicate()),
        Step("delete the duplicated", lambda tree: tree.delete_duplicated()),
        Step("restrict one", lambda tree: tree.restrict(TEAM), needs="permissions"),
        *_disturb("source away", lambda tree: tree.take_away()),
        *_disturb("folder unreadable", lambda tree: tree.lock_shelf(), needs="readable"),
        *_disturb("70 % not listed", lambda tree: tree.hide_most(0.70)),
        *[_crash(index + 1, chance.uniform(0.1, 0.95)) for index in range(crashes)],
        Step("no change at the end", lambda _: []),
    ]


def _disturb(name: str, act: Callable[[SourceTree], None], needs: str | None = None) -> list[Step]:
    def disturb(tree: SourceTree) -> list[Change]:
        act(tree)
        return []

    def restore(tree: SourceTree) -> list[Change]:
        tree.restore()
        return []

    return [
        Step(name, disturb, is_disturbance=True, needs=needs),
        Step(f"{name}: over", restore, needs=needs),
    ]


def _crash(number: int, kill_at: float) -> Step:
    """Return a step that makes many changes at once and kills the sync that follows."""
    return Step(f"crash {number}", lambda tree: tree.change_many(0.15), kill_at=kill_at)
