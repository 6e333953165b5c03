"""Makes the checks on the golden set, and the verdict, from comparisons and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ragline.configuration.collection_settings import GateSettings
from ragline.counts import count
from ragline.evaluation.evaluation import find_missed_thresholds
from ragline.gate.comparison import (
    FAMILY_ERROR_RATE,
    RESAMPLES,
    Values,
    compare_values,
    count_needed_queries,
    decide_family,
)
from ragline.gate.report import Check, Comparison, Verdict
from ragline.gate.slices import Slices
from ragline.golden_set import GoldenSet

DECIDING_MEASURE = "ndcg@10"
# The name of a measure of reranked searches begins with this word.
RERANKED = "reranked "
# The names of measures in sentences.
NAMES = {"ndcg@10": "nDCG@10", "recall@10": "recall@10", "recall@100": "recall@100",
         "mrr@10": "MRR@10"}  # fmt: skip
# A slice with fewer queries is not decided. If there are 40 slices, chance can explain a fall in
# such a slice even if all its queries fall.
MIN_SLICE_QUERIES = 12


def compare_measures(
    live: Mapping[str, Values],
    candidate: Mapping[str, Values],
    settings: GateSettings,
    seed: int,
    *,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare each measure over all queries. Only the measures with a margin are decided.

    `live` and `candidate` contain the values by measure, with the queries in equal order. A measure
    of reranked searches has the margin of the same measure of other searches. All measures are
    decided together.
    """
    margins = {
        "ndcg@10": settings.ndcg_margin,
        "recall@10": settings.recall_margin,
        "mrr@10": settings.mrr_margin,
    }
    return decide_family(
        [
            compare_values(
                name, live[name], candidate[name], seed,
                margin=margins.get(name.removeprefix(RERANKED)), resamples=resamples,
            )
            for name in live
        ]
    )  # fmt: skip


def compare_slices(
    keys: Sequence[str],
    live: Values,
    candidate: Values,
    slices: Slices,
    settings: GateSettings,
    seed: int,
    *,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare the deciding measure in each slice.

    `keys` are the ids of the queries whose values `live` and `candidate` contain, in this order. A
    slice with less than MIN_SLICE_QUERIES queries is not decided.
    """
    comparisons = []
    for name, members in slices.items():
        chosen = np.array([key in members for key in keys])
        is_decided = chosen.sum() >= MIN_SLICE_QUERIES
        comparisons.append(
            compare_values(
                DECIDING_MEASURE, live[chosen], candidate[chosen], seed,
                margin=settings.slice_margin if is_decided else None,
                slice_name=name, resamples=resamples,
            )
        )  # fmt: skip
    return decide_family(comparisons)


def check_golden_set(
    settings: GateSettings, queries: int, deciding: Comparison, tested: int
) -> Check:
    """Check whether the queries are enough for a decision.

    `queries` is the number of judged queries, `deciding` is the comparison of the deciding measure,
    and `tested` is the number of measures that are decided.
    """
    if queries < settings.min_queries:
        return Check(
            "golden_set",
            "undecided",
            f"The golden set has {queries:,} judged queries, and the gate needs at least "
            f"{settings.min_queries:,}. Judge {settings.min_queries - queries:,} more.",
        )
    fall, wanted = deciding.detectable_fall or 0.0, settings.detectable_fall
    said = f"These {queries:,} queries can detect a fall of nDCG@10 of {fall:.3f} or more"
    if fall <= max(wanted, settings.ndcg_margin):
        return Check("golden_set", "passed", f"{said}.")
    needed = count_needed_queries(deciding, wanted, FAMILY_ERROR_RATE / tested)
    missing = "" if needed is None else f" About {needed:,} queries are needed for that."
    return Check(
        "golden_set",
        "undecided",
        f"{said}. The setting detectable_fall asks for {wanted:g}.{missing}",
    )


def check_gone_judgements(settings: GateSettings, golden: GoldenSet, gone: int) -> Check | None:
    """Refuse a golden set whose judged documents have left the collection.

    `gone` is the number of judgements whose document is gone. The result is None if their share is
    within the limit.
    """
    share = gone / max(len(golden.records), 1)
    if share <= settings.max_gone_judgements:
        return None
    return Check(
        "golden_set",
        "refused",
        f"{gone:,} of {len(golden.records):,} judgements ({share:.0%}) are about documents that "
        f"are gone from the collection, and at most {settings.max_gone_judgements:.0%} may be. "
        "`ragline golden status` lists them. Remove these judgements, and judge documents that are "
        "in the collection.",
    )


def check_measure(comparison: Comparison) -> Check:
    """Make a check from a decided comparison of all queries."""
    name = name_measure(comparison.measure)
    return Check(
        comparison.measure,
        "refused" if comparison.is_refused else "passed",
        describe_comparison(comparison, name),
    )


def state_thresholds(
    comparisons: Sequence[Comparison], thresholds: Mapping[str, float]
) -> list[Comparison]:
    """Return the comparisons, each with the threshold of its measure if there is one."""
    return [replace(one, threshold=thresholds.get(one.measure)) for one in comparisons]


def check_thresholds(comparisons: Sequence[Comparison]) -> Check:
    """Check whether each mean of the candidate reaches its threshold.

    The live generation does not matter. So several small falls, each within the margin, cannot
    lower a mean below its threshold. If no comparison has a threshold, the check passes.
    """
    limited = [one for one in comparisons if one.threshold is not None]
    if not limited:
        reason = "Not decided: the setting thresholds of the collection states no minimum."
        return Check("thresholds", "passed", reason)
    means = {one.measure: one.candidate for one in limited}
    least = {one.measure: one.threshold or 0.0 for one in limited}
    missed = find_missed_thresholds(means, least)
    shown = [one for one in limited if one.measure in missed] or limited
    sentences = [
        f"{name_measure(one.measure)} of the candidate is {one.candidate:.4f}, and the setting "
        f"thresholds requires at least {one.threshold:g}."
        for one in shown
    ]
    return Check("thresholds", "refused" if missed else "passed", " ".join(sentences))


def name_measure(measure: str) -> str:
    """Return the name of a measure for use in a sentence.

    A reranked measure gets the same name as the measure without reranking.
    """
    return NAMES[measure.removeprefix(RERANKED)]


def check_slices(comparisons: Sequence[Comparison]) -> Check:
    """Make one check from all slices. Its reason describes each slice whose fall is refused."""
    refused = [one for one in comparisons if one.is_refused]
    decided = [one for one in comparisons if one.margin is not None]
    if not refused:
        return Check(
            "slices",
            "passed",
            f"In each of {len(decided)} decided slices, nDCG@10 stays within the margin, or chance "
            "can explain its fall.",
        )
    sentences = [describe_comparison(one, f"In the slice {one.slice}, nDCG@10") for one in refused]
    return Check("slices", "refused", " ".join(sentences))


def describe_comparison(comparison: Comparison, subject: str) -> str:
    """Describe a decided comparison in one or two sentences, with the numbers of the decision."""
    change = comparison.difference
    verb = "falls" if change < 0 else "rises" if change > 0 else "stays equal"
    size = f" by {abs(change):.4f}" if change else ""
    said = (
        f"{subject} {verb}{size}, from {comparison.live:.4f} to {comparison.candidate:.4f} over "
        f"{comparison.queries:,} queries."
    )
    margin, p_value = comparison.margin, comparison.adjusted_p_value
    if margin is None or p_value is None or change >= 0:
        return said
    if change >= -margin:
        return f"{said} The margin is {margin:g}."
    if comparison.is_refused:
        found = describe_p_value(comparison, 4)
        return f"{said} The margin is {margin:g}, and chance does not explain it ({found})."
    found = describe_p_value(comparison, 2)
    return f"{said} This is more than the margin {margin:g}, but can be chance ({found})."


def describe_p_value(comparison: Comparison, decimals: int) -> str:
    """Return the p-value of a decision, and for how many comparisons it is adjusted."""
    compared = count(comparison.compared or 1, "comparison")
    return f"p = {comparison.adjusted_p_value:.{decimals}f}, adjusted for {compared}"


def find_verdict(checks: Sequence[Check]) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict, and the reasons of the checks that did not pass.

    One refusal is enough to refuse. Without a refusal, an undecided check prevents a decision.
    """
    refused = tuple(check.reason for check in checks if check.outcome == "refused")
    undecided = tuple(check.reason for check in checks if check.outcome == "undecided")
    if refused:
        return "refused", refused + undecided
    return ("undecidable", undecided) if undecided else ("passed", ())
