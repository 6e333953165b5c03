"""Runs one system through the steps of a scenario and measures it.

Each step changes the source and syncs the system. Some steps also kill a sync. After the last
sync of a step, the entries are compared with the source, and searches are made.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from benchmarks.churn.judging import (
    Verdict,
    collect_marks,
    find_stale_hits,
    has_new_hit,
    is_forgotten,
    is_visible,
    judge_entries,
)
from benchmarks.churn.scenario import TEAM, Step
from benchmarks.churn.source_tree import Change, SourceTree
from benchmarks.churn.system import SYNC_TIMEOUT_S, Entry, System

HITS = 10
# For each kind of change, the benchmark searches for this number of changes only. The number is
# small, because in some systems each search starts a process.
SEARCHED_CHANGES = 5
NEVER = float("inf")


class FirstIndexError(Exception):
    """A system could not index the tree, so there is nothing to measure."""


@dataclass(slots=True)
class StepResult:
    """The result of one step. The counts describe the entries after the last sync of the step.

    `sync_s` is the median duration of the syncs that were not killed. `embeddings_made` counts the
    embeddings of these syncs only. `embeddings_needed` is the number of distinct texts that no
    earlier sync served. `ghosts`, `lost`, `gone` and `repeated` are the counts of a `Verdict`.
    `visible_s` and `forgotten_s` contain one time for each change. It begins with the change, and
    it ends with the first sync after which the entries show the change. It is infinite if no sync
    showed the change.
    """

    name: str
    sync_s: float = 0.0
    embeddings_made: int = 0
    embeddings_needed: int = 0
    ghosts: int = 0
    lost: int = 0
    gone: int = 0
    repeated: int = 0
    stale_hits: int = 0
    searched: int = 0
    found: int = 0
    errors: list[str] = field(default_factory=list)
    was_killed: bool | None = None
    killed_after_s: float | None = None
    permissions_missed: int | None = None
    unsupported: str | None = None
    visible_s: list[float] = field(default_factory=list)
    forgotten_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Measurement:
    """The results of a system in all steps.

    `ever_ghosts` and `ever_lost` contain the distinct ghosts and lost documents of all steps.
    """

    system: str
    description: dict[str, str]
    documents: int
    steps: list[StepResult] = field(default_factory=list)
    ever_ghosts: set[Entry] = field(default_factory=set)
    ever_lost: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Pending:
    """A change that the entries do not show completely yet."""

    change: Change
    into: list[float]
    has_happened: Callable[[Change, Mapping[str, set[str]]], bool]


class Measuring:
    """Runs one system through a scenario.

    `lacking` names capabilities that this machine does not have. Steps that need them are not run.
    """

    def __init__(self, system: System, tree: SourceTree, lacking: Iterable[str] = ()) -> None:
        self._system = system
        self._tree = tree
        self._lacking = set(lacking)
        if not system.has_permissions:
            self._lacking.add("permissions")
        self._seen_texts: set[str] = set()
        self._pending: list[_Pending] = []
        self._first_sync_s = self._idle_sync_s = 0.0
        self.measurement = Measurement(system.name, system.describe(), len(tree.documents))

    def run(self, steps: Iterable[Step], report: Callable[[StepResult], None]) -> Measurement:
        """Index the tree and run the steps. `report` is called with the result of each step.

        Raises:
            FirstIndexError: the first sync failed; the message says why.
        """
        self._system.prepare(self._tree.root)
        for step in (Step("first index", lambda _: []), *steps):
            result = StepResult(step.name)
            self.measurement.steps.append(result)
            if step.needs in self._lacking:
                result.unsupported = step.needs
            else:
                self._take(step, result)
            report(result)
            if len(self.measurement.steps) == 1 and result.errors:
                raise FirstIndexError(f"{self._system.name}: {result.errors[0]}")
        for pending in self._pending:
            pending.into.append(NEVER)
        return self.measurement

    def _take(self, step: Step, result: StepResult) -> None:
        changes = step.act(self._tree)
        self._expect(changes, result)
        if step.needs == "permissions":
            self._system.restrict(self._tree.principals)
        if step.kill_at is not None:
            self._kill_sync(step.kill_at, len(changes), result)
        made_before = self._system.embeddings_made()
        seconds = [self._sync(result) for _ in range(step.syncs)]
        result.sync_s = statistics.median(seconds)
        result.embeddings_made = self._system.embeddings_made() - made_before
        self._note_pace(step, result.sync_s)
        self._judge(result, ended_at_s=time.monotonic())
        self._search(changes, result)
        if step.needs == "permissions":
            result.permissions_missed = sum(not self._is_restricted(one) for one in changes)

    def _expect(self, changes: Iterable[Change], result: StepResult) -> None:
        for change in changes:
            if change.appeared:
                self._pending.append(_Pending(change, result.visible_s, is_visible))
            if change.vanished:
                self._pending.append(_Pending(change, result.forgotten_s, is_forgotten))

    def _sync(self, result: StepResult) -> float:
        """Run one sync to its end and return its duration in seconds."""
        started_s = time.monotonic()
        sync = self._system.start_sync()
        if not sync.wait(SYNC_TIMEOUT_S):
            sync.kill()
            result.errors.append(f"still running after {SYNC_TIMEOUT_S:.0f} s")
        elif (error := sync.error()) is not None:
            result.errors.append(error)
        return time.monotonic() - started_s

    def _kill_sync(self, kill_at: float, changed: int, result: StepResult) -> None:
        """Start a sync, and kill it after the share `kill_at` of its expected duration."""
        per_document_s = (self._first_sync_s - self._idle_sync_s) / self.measurement.documents
        expected_s = self._idle_sync_s + max(0.0, per_document_s) * changed
        result.killed_after_s = kill_at * expected_s
        sync = self._system.start_sync()
        result.was_killed = not sync.wait(result.killed_after_s)
        if result.was_killed:
            sync.kill()

    def _note_pace(self, step: Step, seconds: float) -> None:
        if not self._first_sync_s:
            self._first_sync_s = seconds
        elif step.syncs > 1:
            self._idle_sync_s = seconds

    def _judge(self, result: StepResult, ended_at_s: float) -> None:
        entries = list(self._system.entries())
        new_texts = {entry.text for entry in entries} - self._seen_texts
        self._seen_texts |= new_texts
        result.embeddings_needed = len(new_texts)
        self._note_verdict(judge_entries(self._tree.marks(), entries), result)
        served = collect_marks(entries)
        happened = [one for one in self._pending if one.has_happened(one.change, served)]
        for pending in happened:
            self._pending.remove(pending)
            pending.into.append(ended_at_s - pending.change.made_at_s)

    def _note_verdict(self, verdict: Verdict, result: StepResult) -> None:
        result.ghosts, result.lost = len(verdict.ghosts), len(verdict.lost)
        result.gone, result.repeated = len(verdict.gone), verdict.repeated
        self.measurement.ever_ghosts |= verdict.ghosts
        self.measurement.ever_lost |= verdict.lost

    def _search(self, changes: Iterable[Change], result: StepResult) -> None:
        """Search for the new and the removed passages of a few changes of each kind."""
        asked: defaultdict[str, int] = defaultdict(int)
        for change in changes:
            kind = f"{change.kind} {bool(change.appeared)}"
            asked[kind] += 1
            if change.kind == "restrict" or asked[kind] > SEARCHED_CHANGES:
                continue
            if change.new_text:
                result.searched += 1
                result.found += has_new_hit(change, self._system.search(change.new_text, HITS))
            if change.old_text:
                hits = self._system.search(change.old_text, HITS)
                result.stale_hits += len(find_stale_hits(change, hits))

    def _is_restricted(self, change: Change) -> bool:
        """Whether a search finds the document with its principal, and not otherwise."""
        found = [
            has_new_hit(change, self._system.search(change.new_text, HITS, principal))
            for principal in (TEAM, None, "another-team")
        ]
        return found == [True, False, False]


def find_percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed.

    Returns None if there are no values.
    """
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
