"""Formats measurements as text for people and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.churn.measuring import NEVER, Measurement, StepResult, find_percentile


def format_step(result: StepResult) -> str:
    """Return the line of progress for a step. If the step has errors, add the first one."""
    if result.unsupported:
        return f"{result.name:<24} not measured: no {result.unsupported}"
    made = f"{result.embeddings_made:,} of {result.embeddings_needed:,} embeddings"
    line = (
        f"{result.name:<24}{result.sync_s:7.1f} s  {made:<30} {result.ghosts:>4} ghosts "
        f"{result.lost:>4} lost {result.repeated:>4} repeated"
    )
    if result.searched:
        line += f"  {result.found} of {result.searched} found"
    killed = "" if result.was_killed is None else _describe_kill(result)
    return line + killed + "".join(f"\n    {error}" for error in result.errors[:1])


def format_summary(measurements: Sequence[Measurement]) -> str:
    """Return a Markdown table with one column for each system."""
    head = ["", *[one.system for one in measurements]]
    rows = [head, ["---"] * len(head)]
    rows += [[label, *[read(one) for one in measurements]] for label, read in FIGURES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_json(path: Path, measurements: Sequence[Measurement], settings: dict[str, Any]) -> None:
    """Write all measurements and settings. The time of a change that no sync showed is null."""
    content = {"settings": settings, "systems": [_describe(one) for one in measurements]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _describe(measurement: Measurement) -> dict[str, Any]:
    return {
        "system": measurement.system,
        "description": measurement.description,
        "documents": measurement.documents,
        "figures": {label: read(measurement) for label, read in FIGURES.items()},
        "steps": [_finite(dataclasses.asdict(step)) for step in measurement.steps],
        "ever_ghosts": sorted({entry.path for entry in measurement.ever_ghosts}),
        "ever_lost": sorted(measurement.ever_lost),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if value == NEVER else value


def _describe_kill(result: StepResult) -> str:
    if result.was_killed:
        return f"  killed after {result.killed_after_s:.1f} s"
    return "  ended before it was killed"


def _undisturbed(measurement: Measurement) -> list[StepResult]:
    """Return the steps without a crash. Some systems do not report the work of a killed process."""
    return [step for step in measurement.steps if step.was_killed is None]


def _percentiles(times: Callable[[StepResult], list[float]]) -> Callable[[Measurement], str]:
    def read(measurement: Measurement) -> str:
        values = [value for step in _undisturbed(measurement) for value in times(step)]
        never = values.count(NEVER)
        found = [find_percentile(values, share) for share in (0.5, 0.95, 1.0)]
        shown = " / ".join("never" if v in (None, NEVER) else f"{v:.1f}" for v in found)
        return f"{shown} (n={len(values)}{f', {never} never' if never else ''})"

    return read


def _seconds(name: str) -> Callable[[Measurement], str]:
    return lambda one: f"{_step(one, name).sync_s:.1f}"


def _ratio(measurement: Measurement) -> str:
    steps = _undisturbed(measurement)[1:]
    made = sum(step.embeddings_made for step in steps)
    needed = sum(step.embeddings_needed for step in steps)
    return f"{made:,} / {needed:,} = {made / needed:.1f}" if needed else f"{made:,} / 0"


def _made(prefix: str) -> Callable[[Measurement], str]:
    """Return a function that formats the made and the needed embeddings of some steps.

    These are the steps whose name begins with `prefix`.
    """

    def read(measurement: Measurement) -> str:
        steps = [step for step in measurement.steps if step.name.startswith(prefix)]
        if any(step.unsupported for step in steps):
            return "not measured"
        made = sum(step.embeddings_made for step in steps)
        return f"{made:,} / {sum(step.embeddings_needed for step in steps):,}"

    return read


def _most(name: str, prefix: str) -> Callable[[Measurement], str]:
    """Return a function that formats the maximum of a count in some steps.

    These are the steps whose name begins with `prefix`.
    """

    def read(measurement: Measurement) -> str:
        steps = [step for step in measurement.steps if step.name.startswith(prefix)]
        if any(step.unsupported for step in steps):
            return "not measured"
        return str(max(getattr(step, name) for step in steps))

    return read


def _permissions(measurement: Measurement) -> str:
    step = _step(measurement, "restrict one")
    return "not supported" if step.unsupported else str(step.permissions_missed)


def _step(measurement: Measurement, name: str) -> StepResult:
    return next(step for step in measurement.steps if step.name == name)


def _sum(name: str) -> Callable[[Measurement], str]:
    return lambda one: str(sum(getattr(step, name) for step in one.steps))


FIGURES: dict[str, Callable[[Measurement], str]] = {
    "documents, entries' texts of the first index": lambda one: (
        f"{one.documents:,}, {one.steps[0].embeddings_needed:,}"
    ),
    "first index, s": _seconds("first index"),
    "sync without a change, s": _seconds("no change"),
    "time-to-visible, s: p50 / p95 / max": _percentiles(lambda step: step.visible_s),
    "time-to-forget, s: p50 / p95 / max": _percentiles(lambda step: step.forgotten_s),
    "embeddings made / needed, changes without crashes": _ratio,
    "… of these: rename 5 %": _made("rename"),
    "… touch 20 %": _made("touch"),
    "… duplicate one": _made("duplicate one"),
    "… source away and back": _made("source away"),
    "… folder unreadable and back": _made("folder unreadable"),
    "… 70 % not listed and back": _made("70 %"),
    "ghost entries, distinct over all steps": lambda one: str(len(one.ever_ghosts)),
    "ghost entries at the end": lambda one: str(one.steps[-1].ghosts),
    "stale hits of searches": _sum("stale_hits"),
    "passages found by search": lambda one: f"{_sum('found')(one)} / {_sum('searched')(one)}",
    "repeated entries at the end": lambda one: str(one.steps[-1].repeated),
    "lost documents, source away": _most("lost", "source away"),
    "lost documents, folder unreadable": _most("lost", "folder unreadable"),
    "lost documents, 70 % not listed": _most("lost", "70 %"),
    "lost documents after a crash and a sync": _most("lost", "crash"),
    "ghost entries after a crash and a sync": _most("ghosts", "crash"),
    "lost documents, distinct over all steps": lambda one: str(len(one.ever_lost)),
    "lost documents at the end": lambda one: str(one.steps[-1].lost),
    "permission changes that did not arrive": _permissions,
}
