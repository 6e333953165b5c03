"""Lists the properties of both generations of a gate report, and the report's origin, as rows."""

from __future__ import annotations

from ragline.gate.report import GateReport, GenerationFacts
from ragline.gate.stored_reports import StoredReport
from retrieval_api.page.formatting import format_timestamp

HASH_DIGITS = 12

# The label of a row, and one value for each generation.
FactRow = tuple[str, list[str]]


def list_facts(report: GateReport) -> list[FactRow]:
    """List the properties of the live generation and of the candidate.

    Without a live generation, each row has one value, that of the candidate.
    """
    both = [_describe(one) for one in (report.live, report.candidate) if one is not None]
    rows = [(label, [one[label] for one in both]) for label in both[0]]
    times = report.latency
    if times is not None and report.live is not None:
        rows += [
            ("Half of the searches take at most",
             [_ms(times.live_p50_ms), _ms(times.candidate_p50_ms)]),
            ("95 % of the searches take at most",
             [_ms(times.live_p95_ms), _ms(times.candidate_p95_ms)]),
        ]  # fmt: skip
    if report.index_recall is not None:
        rows.append(("Index recall", [*["–"] * (len(both) - 1), f"{report.index_recall:.3f}"]))
    return rows


def list_origin(stored: StoredReport) -> list[tuple[str, str]]:
    """List what is needed to compute the report again, and who asked for it."""
    report = stored.report
    version = report.golden_set_version
    return [
        ("Made", format_timestamp(stored.created_at)),
        ("Asked by", stored.asked_by),
        ("Golden set version", "no golden set" if version is None else version[:HASH_DIGITS]),
        ("Split", report.split or "all queries"),
        ("Fingerprint of the settings", report.settings_fingerprint),
        ("Version of Ragline", report.code_version),
        ("Seed", str(report.seed)),
        ("Time of the gate", f"{report.seconds:.1f} s"),
        ("Failed searches", f"{report.failed_live} live, {report.failed_candidate} candidate"),
    ]


def _describe(facts: GenerationFacts) -> dict[str, str]:
    return {
        "State then": facts.state,
        "Embedding model": f"{facts.model}, {facts.dimension} dimensions",
        "Language": facts.language,
        "Documents": f"{facts.documents:,}",
        "Entries": f"{facts.entries:,}",
        "Size with indexes": f"{facts.size_bytes / 1e6:,.1f} MB",
        "Vector index": "yes" if facts.has_vector_index else "no; searches scan all entries",
        "Chunker": facts.chunker_fingerprint[:HASH_DIGITS],
        "Embedding space": facts.space_fingerprint[:HASH_DIGITS],
    }


def _ms(value: float) -> str:
    return f"{value:.1f} ms"
