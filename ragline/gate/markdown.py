"""Writes the report of a gate as Markdown, for a merge request or a materialization."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from ragline.counts import count
from ragline.gate.report import (
    Comparison,
    FallenQuery,
    GateReport,
    GenerationFacts,
    RankedDocument,
)

SHOWN_FALLEN = 10
FORMATTING = re.compile(r"([\\`*_\[\]|])")
MEASURES_HEADER = (
    "measure", "queries", "live", "candidate", "difference", "95 % limits", "adjusted p",
    "detectable fall", "result",
)  # fmt: skip
GENERATIONS_HEADER = ("", "state", "model", "entries", "documents", "size", "p50", "p95")
FINGERPRINTS_HEADER = ("", "embedding space", "chunker", "parser")


def write_markdown(report: GateReport) -> str:
    """Write a report: verdict, reasons, checks, comparisons, and the queries that fell."""
    parts = [
        f"# Gate of {report.collection}: {report.verdict}",
        _describe_subject(report),
        *(f"- {_escape(reason)}" for reason in report.reasons),
        "## Checks",
        _write_table(
            ("check", "result", "reason"),
            [(check.name, check.outcome, _escape(check.reason)) for check in report.checks],
        ),
        "## Generations",
        _write_table(GENERATIONS_HEADER, _list_generations(report)),
        _write_table(FINGERPRINTS_HEADER, _list_fingerprints(report)),
    ]
    if report.measures:
        parts += ["## All queries", *_describe_family(report.measures, "measure")]
    if report.slices:
        parts += ["## Slices", *_describe_family(report.slices, "slice")]
    if report.fallen:
        parts += [_title_fallen(report), *map(_write_fallen, report.fallen[:SHOWN_FALLEN])]
    return "\n\n".join([*_join_list(parts), _describe_origin(report)]) + "\n"


def describe_limits(comparison: Comparison) -> str:
    """Return the interval of a difference, as `-0.0123 to +0.0045`."""
    return f"{comparison.low:+.4f} to {comparison.high:+.4f}"


def describe_threshold(comparison: Comparison) -> str:
    """Return the threshold of a mean, as ` (at least 0.5)`. Empty without a threshold."""
    return "" if comparison.threshold is None else f" (at least {comparison.threshold:g})"


def _join_list(parts: Sequence[str]) -> list[str]:
    """Join consecutive items of a list into one part."""
    joined: list[str] = []
    for part in parts:
        if joined and part.startswith("- ") and joined[-1].startswith("- "):
            joined[-1] += f"\n{part}"
        else:
            joined.append(part)
    return joined


def _describe_subject(report: GateReport) -> str:
    live = (
        "no live generation"
        if report.live is None
        else f"{report.live.state} generation {report.live.id}"
    )
    return (
        f"Generation {report.candidate.id} ({report.candidate.state}) was compared with "
        f"{live} on {report.queries:,} queries."
    )


def _describe_origin(report: GateReport) -> str:
    golden = (
        "no golden set"
        if report.golden_set_version is None
        else f"golden set {report.golden_set_version} ({report.split})"
    )
    return (
        f"Ragline {report.code_version}, {golden}, settings {report.settings_fingerprint}, seed "
        f"{report.seed}, {report.started_at:%Y-%m-%d %H:%M:%S} UTC, {report.seconds:.1f} s."
    )


def _describe_family(comparisons: Sequence[Comparison], first: str) -> list[str]:
    """Write comparisons that are decided together, and for how many of them p is adjusted."""
    table = _write_comparisons(comparisons, first)
    compared = next((one.compared for one in comparisons if one.compared), None)
    if compared is None:
        return [table]
    return [table, f"Each p is adjusted for {count(compared, 'comparison')} by Holm's method."]


def _write_comparisons(comparisons: Sequence[Comparison], first: str) -> str:
    rows = [
        (
            _escape(one.slice or one.measure),
            f"{one.queries:,}",
            f"{one.live:.4f}",
            f"{one.candidate:.4f}{describe_threshold(one)}",
            f"{one.difference:+.4f}",
            describe_limits(one),
            "" if one.adjusted_p_value is None else f"{one.adjusted_p_value:.4f}",
            "" if one.detectable_fall is None else f"{one.detectable_fall:.4f}",
            "shown only" if one.margin is None else "refused" if one.is_refused else "passed",
        )
        for one in comparisons
    ]
    return _write_table((first, *MEASURES_HEADER[1:]), rows)


def _list_generations(report: GateReport) -> list[tuple[str, ...]]:
    times = report.latency
    live = ("", "") if times is None else (_ms(times.live_p50_ms), _ms(times.live_p95_ms))
    own = ("", "") if times is None else (_ms(times.candidate_p50_ms), _ms(times.candidate_p95_ms))
    rows = [] if report.live is None else [_describe_generation(report.live, live)]
    return [*rows, _describe_generation(report.candidate, own)]


def _describe_generation(facts: GenerationFacts, times: tuple[str, str]) -> tuple[str, ...]:
    size = f"{facts.size_bytes / 1e6:,.1f} MB"
    return (
        f"generation {facts.id}", facts.state, _escape(facts.model), f"{facts.entries:,}",
        f"{facts.documents:,}", size, *times,
    )  # fmt: skip


def _list_fingerprints(report: GateReport) -> list[tuple[str, ...]]:
    judged = [one for one in (report.live, report.candidate) if one is not None]
    return [
        (
            f"generation {one.id}", one.space_fingerprint, one.chunker_fingerprint,
            ", ".join(one.parser_fingerprints),
        )
        for one in judged
    ]  # fmt: skip


def _ms(value: float) -> str:
    return f"{value:.1f} ms"


def _title_fallen(report: GateReport) -> str:
    shown = min(len(report.fallen), SHOWN_FALLEN)
    return f"## Queries that fell ({shown:,} of {len(report.fallen):,})"


def _write_fallen(fallen: FallenQuery) -> str:
    rows = [
        (str(rank), _describe_document(before), _describe_document(after))
        for rank, (before, after) in enumerate(zip_longest(fallen.live, fallen.candidate), start=1)
    ]
    kind = "With reranking, nDCG@10" if fallen.is_reranked else "nDCG@10"
    title = (
        f"### {_escape(fallen.id)}: {_escape(fallen.query)}\n\n"
        f"{kind} falls from {fallen.live_ndcg:.4f} to {fallen.candidate_ndcg:.4f}. "
        "Bold documents are relevant."
    )
    return f"{title}\n\n{_write_table(('rank', 'live', 'candidate'), rows)}"


def _describe_document(document: RankedDocument | None) -> str:
    if document is None:
        return ""
    name = _escape(document.document_id)
    shown = f"**{name}**" if document.grade else name
    # A stored report contains no words of documents.
    return f"{shown}: {_escape(document.words)}" if document.words else shown


def _write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    """Return a text as one line of Markdown, with every special character escaped.

    The text of a document can contain links, images and tags. They must not work in a report.
    """
    return FORMATTING.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")
