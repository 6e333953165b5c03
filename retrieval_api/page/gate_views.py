"""Builds the view of a gate report: its verdict in words, charts of intervals, and ranked lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ragline.charts import draw_interval
from ragline.counts import count
from ragline.gate.markdown import describe_limits
from ragline.gate.report import (
    Check,
    Comparison,
    FallenQuery,
    GateReport,
    Outcome,
    RankedDocument,
    Verdict,
)
from ragline.golden_set.content import SOURCE_SEPARATOR
from ragline.golden_set.splits import SPLITS
from ragline.index_card.card import CardCheck
from ragline.search.document_records import read_titles
from retrieval_api.access.callers import Caller
from retrieval_api.page.formatting import format_document_name

MAX_FALLEN = 25
# A chart of an interval is a little wider than the widest interval.
CHART_MARGIN = 1.1
BADGES: dict[Outcome, str] = {"passed": "good", "refused": "bad", "undecided": "warn"}
VERDICTS: dict[Verdict, tuple[str, str]] = {
    "passed": ("good", "The gate accepts the candidate"),
    "refused": ("bad", "The gate refuses the candidate"),
    "undecidable": ("warn", "The gate cannot decide"),
}
# The names of the checks for a reader who does not know them.
CHECK_NAMES = {
    "sync_proof": "Contains the current documents",
    "index_recall": "The vector index finds the nearest entries",
    "latency": "Searches are fast enough",
    "golden_set": "There are enough judged queries",
    "ndcg@10": "The best documents come first (nDCG@10)",
    "recall@10": "The first ten hits have the relevant documents (recall@10)",
    "mrr@10": "The first relevant hit comes early (MRR@10)",
    "shadow_reads": "Real searches work and are fast enough (shadow reads)",
    "abstention": "Answers and stays silent when it should",
    "reranking": "Reranked searches do not get worse",
    "slices": "No group of queries gets worse",
    "thresholds": "The scores reach the thresholds of the collection",
}
MEASURE_NAMES = {"ndcg@10": "nDCG@10", "recall@10": "recall@10", "recall@100": "recall@100",
                 "mrr@10": "MRR@10"}  # fmt: skip
MEASURE_NAMES |= {f"reranked {key}": f"{name}, reranked" for key, name in MEASURE_NAMES.items()}

# Titles by document id and source.
_Titles = Mapping[tuple[str, str], str | None]


@dataclass(frozen=True, slots=True)
class ComparedMeasure:
    """One row of a table of comparisons: a measure or a slice, with the chart of its interval."""

    name: str
    comparison: Comparison
    limits: str
    chart: str
    outcome: str
    badge: str


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document that one of the two generations returned for a query that fell.

    `title` is None if the document is gone or the caller may not see it. `other_rank` is the rank
    of the document in the other generation. It is None if the other generation did not return the
    document.
    """

    document_id: str
    title: str | None
    grade: int | None
    other_rank: int | None
    words: str


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A query that fell: its score is lower in the candidate than in the live generation.

    `live` and `candidate` are the documents that these generations returned, best first.
    """

    fallen: FallenQuery
    live: list[ShownDocument]
    candidate: list[ShownDocument]


def name_check(check: Check | CardCheck) -> str:
    """Return the name of a check in words."""
    return CHECK_NAMES.get(check.name, check.name.replace("_", " "))


def describe_subject(report: GateReport) -> str:
    """Say in one sentence what was compared with what, on how many queries."""
    live = "no live generation" if report.live is None else f"the live generation {report.live.id}"
    split = f" of the split {report.split}" if report.split in SPLITS else ""
    queries = count(report.queries, "judged query", "judged queries")
    return f"Generation {report.candidate.id} was compared with {live} on {queries}{split}."


def build_comparisons(name: str, comparisons: Sequence[Comparison]) -> list[ComparedMeasure]:
    """Build the rows of a table. All charts of the table have the same axis."""
    values = chain.from_iterable(
        (one.low, one.high, one.margin or 0.0, one.difference) for one in comparisons
    )
    end = CHART_MARGIN * max(map(abs, values), default=0.0) or 1.0
    return [
        _build_comparison(f"{name}-{number}", one, end)
        for number, one in enumerate(comparisons, start=1)
    ]


def build_fallen(caller: Caller, report: GateReport) -> list[ShownQuery]:
    """Build the views of the queries that fell most, with the titles that the caller may see."""
    shown = report.fallen[:MAX_FALLEN]
    ids = {
        one.document_id.partition(SOURCE_SEPARATOR)[0]
        for fallen in shown
        for one in (*fallen.live, *fallen.candidate)
    }
    titles = read_titles(caller.database, report.collection, ids, caller.restrict_principals(()))
    return [
        ShownQuery(
            one,
            _build_list(one.live, one.candidate, titles),
            _build_list(one.candidate, one.live, titles),
        )
        for one in shown
    ]


def _build_comparison(id_: str, one: Comparison, end: float) -> ComparedMeasure:
    name = one.slice or MEASURE_NAMES.get(one.measure, one.measure)
    outcome, badge = "passed", "good"
    if one.margin is None:
        outcome, badge = "shown only", ""
    elif one.is_refused:
        outcome, badge = "refused", "bad"
    limits = describe_limits(one)
    margin = "" if one.margin is None else f"; accepted fall {one.margin:g}"
    chart = draw_interval(
        id_,
        f"Difference of {name}",
        (one.low, one.difference, one.high),
        end,
        margin=one.margin,
        is_bad=one.is_refused,
        text=f"{one.difference:+.4f}, with 95 % confidence {limits}{margin}",
    )
    return ComparedMeasure(name, one, limits, chart, outcome, badge)


def _build_list(
    documents: Sequence[RankedDocument], other: Sequence[RankedDocument], titles: _Titles
) -> list[ShownDocument]:
    ranks = {one.document_id: rank for rank, one in enumerate(other, start=1)}
    return [_build_document(one, ranks.get(one.document_id), titles) for one in documents]


def _build_document(one: RankedDocument, other_rank: int | None, titles: _Titles) -> ShownDocument:
    document_id, _, source = one.document_id.partition(SOURCE_SEPARATOR)
    found = [
        format_document_name(title, document_id)
        for key, title in titles.items()
        if key[0] == document_id and source in ("", key[1])
    ]
    return ShownDocument(document_id, found[0] if found else None, one.grade, other_rank, one.words)
