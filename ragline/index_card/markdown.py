"""Writes an index card as Markdown, for a file or the metadata of a materialization."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ragline.counts import count
from ragline.durations import format_duration
from ragline.index_card.card import CardClock, CardEvent, CardGaps, CardModel, CardSource, IndexCard

FORMATTING = re.compile(r"([\\`*_\[\]|<>])")
BYTE_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))
SHOWN_HASH_DIGITS = 12


def write_markdown(card: IndexCard) -> str:
    """Write a card: origin, sources, model, settings, figures, gaps and decisions."""
    parts = [
        f"# Index card of {_escape(card.collection)}, generation {card.generation}",
        _describe_state(card),
        "## Sources",
        _write_sources(card.sources),
        "## Model",
        _write_facts(_list_model_facts(card.model)),
        "## Index",
        _write_facts(_list_index_facts(card)),
        "## Gate",
        _describe_gate(card),
        "## Evaluations",
        _write_evaluations(card),
        "## Known gaps",
        _write_list(list_gaps(card.gaps)) or "No gap is known.",
        "## Decisions",
        *_write_decisions(card),
        f"Made {_write_time(card.made_at)} by Ragline {card.code_version}.",
    ]
    return "\n\n".join(parts) + "\n"


def list_gaps(gaps: CardGaps) -> list[str]:
    """Describe each known gap of an index in one sentence."""
    unread = [
        f"{one.source}: the state of {count(one.documents, 'document')} is {one.state}: "
        f"{one.reason}."
        for one in gaps.unread
    ]
    held = [
        f"{one.source}: the removal of {count(one.documents, 'document')} has been held since "
        f"{_write_time(one.since)}. Searches still find them."
        for one in gaps.held
    ]
    stale = [f"{one.source}: {one.reason}." for one in gaps.stale]
    unanswered = [
        f"{count(one.queries, 'query', 'queries')} on the topic {one.name!r} had no good hit."
        for one in gaps.unanswered
    ]
    return [*unread, *held, *stale, *unanswered]


def _describe_state(card: IndexCard) -> str:
    times = [f"created {_write_time(card.created_at)}"]
    for verb, time in (
        ("promoted", card.promoted_at), ("retired", card.retired_at), ("held", card.held_at),
    ):  # fmt: skip
        if time is not None:
            times.append(f"{verb} {_write_time(time)}")
    return f"State: **{card.state}** ({', '.join(times)})."


def _write_sources(sources: Sequence[CardSource]) -> str:
    if not sources:
        return "The collection has no source."
    header = (
        "source", "kind", "documents here", "entries", "documents of the source by state",
        "newest change", "oldest change", "last listing", "changes", "removals",
    )  # fmt: skip
    return _write_table(header, map(_describe_source, sources))


def _describe_source(source: CardSource) -> tuple[str, ...]:
    states = ", ".join(f"{number:,} {state}" for state, number in source.states.items())
    age = source.age_seconds
    return (
        _escape(source.name), source.kind, f"{source.documents:,}", f"{source.entries:,}",
        states or "none", _write_time(source.newest_change_at),
        _write_time(source.oldest_change_at),
        "never" if age is None else f"{format_duration(age)} ago",
        _describe_clock(source.visible), _describe_clock(source.forgotten),
    )  # fmt: skip


def _describe_clock(clock: CardClock) -> str:
    waiting = f"waited {format_duration(clock.waiting_seconds)}, " if clock.waiting_seconds else ""
    return f"{clock.state} ({waiting}limit {format_duration(clock.within_seconds)})"


def _list_model_facts(model: CardModel) -> list[tuple[str, str]]:
    return [
        ("name", _escape(model.name)),
        ("licence", f"{_escape(model.licence)} ({model.licence_origin})"),
        ("hash of its files", f"`{model.files_hash}`"),
        ("dimension", f"{model.dimension:,}"),
        ("tokens that it reads", f"{model.max_tokens:,}"),
        ("prefix of queries", _write_code(model.query_prefix)),
        ("prefix of documents", _write_code(model.document_prefix)),
    ]


def _list_index_facts(card: IndexCard) -> list[tuple[str, str]]:
    index, prints = card.index, card.fingerprints
    parameters = ", ".join(f"{name} {value:,}" for name, value in index.parameters.items())
    vector_index = f"{index.vector_index}, {parameters}" if parameters else index.vector_index
    return [
        ("documents", f"{index.documents:,}"),
        ("entries", f"{index.entries:,}"),
        ("size", _write_bytes(index.size_bytes)),
        ("vector index", f"{vector_index}, {_write_bytes(index.vector_index_bytes)}"),
        ("settings of the build", _write_settings(card.settings)),
        ("search settings", _write_settings(card.search)),
        ("embedding space", f"`{prints.space}`"),
        ("chunker", f"`{prints.chunker}`"),
        ("parsers", ", ".join(f"`{one}`" for one in prints.parsers) or "none"),
        ("content", "none: its table was deleted" if not prints.content else f"`{prints.content}`"),
    ]


def _write_settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_escape(str(value))}" for name, value in _flatten(settings))


def _flatten(settings: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield _escape(prefix + name), value


def _write_evaluations(card: IndexCard) -> str:
    if not card.evaluations:
        return (
            "No evaluation of this generation is stored. If it has a table and its collection has "
            f"a golden set, `ragline eval {card.collection} --generation {card.generation}` "
            "measures it."
        )
    measures = list(card.evaluations[0].measures)
    header = ("evaluation", "search", "split", *measures, "queries", "golden set", "code", "made")
    rows = [
        (
            str(one.id), f"{one.mode}{', reranked' if one.rerank else ''}",
            _escape(one.split or "not known"),
            *(f"{one.measures[name]:.4f}" if name in one.measures else "" for name in measures),
            f"{one.queries:,}", f"`{one.golden_version[:SHOWN_HASH_DIGITS]}`",
            _escape(one.code_version or "not known"), _write_time(one.evaluated_at),
        )
        for one in card.evaluations
    ]  # fmt: skip
    return _write_table(header, rows)


def _describe_gate(card: IndexCard) -> str:
    gate = card.gate
    if gate is None:
        never = "The gate never judged this generation."
        if card.state != "candidate":
            return never
        judge = f"`ragline gate {card.collection} --candidate {card.generation}`"
        return f"{never} {judge} does so before a promotion."
    against = "no live generation" if gate.live_id is None else f"generation {gate.live_id}"
    golden = "none" if gate.golden_version is None else gate.golden_version[:SHOWN_HASH_DIGITS]
    head = (
        f"Report {gate.report_id}: **{gate.verdict}** against {against}, "
        f"{_write_time(gate.judged_at)}, for {_escape(gate.asked_by)} (golden set `{golden}`, seed "
        f"{gate.seed}, code {_escape(gate.code_version)})."
    )
    parts = [head, *([_write_list(gate.reasons)] if gate.reasons else [])]
    if gate.checks:
        rows = [(_escape(one.name), one.outcome, _escape(one.reason)) for one in gate.checks]
        parts.append(_write_table(("check", "result", "reason"), rows))
    return "\n\n".join(parts)


def _write_decisions(card: IndexCard) -> list[str]:
    approvals = [
        f"{one.approved_by} approved it {_write_time(one.approved_at)} on report {one.report_id}: "
        f"{one.reason}"
        for one in card.approvals
    ]
    rows = [
        (
            _write_time(event.changed_at), event.to_state, _escape(event.changed_by),
            _escape(event.reason or "no reason given"), _describe_basis(event),
        )
        for event in card.trail
    ]  # fmt: skip
    trail = "The trail has no entry, because an older release created the generation."
    if rows:
        trail = _write_table(("time", "new state", "by", "reason", "gate"), rows)
    return [_write_list(approvals), trail] if approvals else [trail]


def _describe_basis(event: CardEvent) -> str:
    report = "" if event.report_id is None else f"report {event.report_id}"
    return ", ".join(filter(None, (report, "forced" if event.is_forced else "")))


def _write_facts(rows: Iterable[tuple[str, str]]) -> str:
    return _write_table(("fact", "value"), rows)


def _write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines)


def _write_list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_escape(sentence)}" for sentence in sentences)


def _write_code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _write_time(time: datetime | None) -> str:
    return "not known" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _write_bytes(number: int) -> str:
    for size, unit in BYTE_UNITS:
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:,} bytes"


def _escape(text: str) -> str:
    return FORMATTING.sub(r"\\\1", text)
