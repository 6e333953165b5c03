"""A report of the gate that refuses a candidate, with texts that a page must show unchanged."""

from __future__ import annotations

from datetime import UTC, datetime

from ragline.gate.report import (
    Check,
    Comparison,
    FallenQuery,
    GateReport,
    GenerationFacts,
    Latency,
    RankedDocument,
)

NAUGHTY = "<img src=x onerror=alert(1)> {{ 7*7 }}"


def make_facts(id_: int, state: str, entries: int) -> GenerationFacts:
    return GenerationFacts(
        id=id_, state=state, model="model", dimension=384, space_fingerprint="s",
        chunker_fingerprint="c", language="english", analysis_version="1", entries=entries,
        documents=10, size_bytes=2_500_000, has_vector_index=False,
    )  # fmt: skip


def compare(measure: str, difference: float, **more: object) -> Comparison:
    return Comparison(
        measure=measure, queries=20, live=0.8, candidate=0.8 + difference, difference=difference,
        low=difference - 0.05, high=difference + 0.05, standard_error=0.02, p_value=0.5, fell=3,
        rose=1, margin=0.02, detectable_fall=0.06, adjusted_p_value=0.5, **more,
    )  # fmt: skip


def make_report(candidate: int, collection: str = "handbook", text: str = NAUGHTY) -> GateReport:
    """Make a report about a candidate. `text` is a reason, a query and a part of a slice's name."""
    live = (RankedDocument("leave", 1, ""), RankedDocument("sick", None, ""))
    return GateReport(
        collection=collection,
        live=make_facts(1, "live", 10),
        candidate=make_facts(candidate, "candidate", 14),
        verdict="refused",
        reasons=(f"nDCG@10 falls {text}.",),
        checks=(
            Check("sync_proof", "passed", "It agrees."),
            Check("ndcg@10", "refused", f"nDCG@10 falls {text}."),
            Check("shadow_overlap", "undecided", "No searches yet."),
        ),
        measures=(compare("ndcg@10", -0.1, is_refused=True), compare("mrr@10", 0.01)),
        slices=(
            compare("ndcg@10", -0.01, slice="length = 1 to 3 words"),
            compare("ndcg@10", -0.01, slice=f"source = {text}"),
        ),
        index_recall=None,
        latency=Latency(20, 10.0, 20.0, 11.0, 22.0),
        fallen=(FallenQuery("q1", text, 1.0, 0.5, live, (*reversed(live), live[0])),),
        queries=20,
        failed_live=0,
        failed_candidate=0,
        golden_set_version="g" * 64,
        split="gate",
        settings_fingerprint="f",
        code_version="1.0",
        seed=5,
        started_at=datetime(2026, 11, 29, 12, 0, tzinfo=UTC),
        seconds=1.5,
    )
