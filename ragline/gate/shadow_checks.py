"""Judges the shadow reads of a candidate: its errors and its speed under real searches.

Without shadow reads, the check passes, because a collection can have no traffic. The check shows
how much the rankings of both generations overlap, but does not judge it: a better candidate also
returns other hits than the live generation.
"""

from __future__ import annotations

from ragline.configuration import CollectionSettings
from ragline.counts import count
from ragline.gate.index_checks import is_too_slow
from ragline.gate.report import Check, Outcome
from ragline.rollout.shadow_reads import ShadowFigures

NAME = "shadow_reads"
# With fewer shadow reads, one slow or failed read would decide.
MIN_READS = 20
# The maximum share of failed shadow reads of a candidate. Almost no search of a live generation
# fails.
MAX_ERROR_RATIO = 0.01
# If the true share of errors is at most MAX_ERROR_RATIO, a candidate is refused with at most this
# probability.
ERROR_LEVEL = 0.005


def check_shadow_reads(settings: CollectionSettings, figures: ShadowFigures) -> Check:
    """Refuse a candidate that fails or is slow in shadow reads.

    The check passes if there are less than MIN_READS shadow reads.
    """
    if figures.reads < MIN_READS:
        return Check(NAME, "passed", _describe_lack(settings, figures))
    found = (_describe_errors(figures), _describe_slowness(settings, figures))
    faults = [fault for fault in found if fault is not None]
    outcome: Outcome = "refused" if faults else "passed"
    return Check(NAME, outcome, " ".join([*faults, _describe(figures)]))


def _describe_lack(settings: CollectionSettings, figures: ShadowFigures) -> str:
    said = (
        f"Not decided: the last 7 days have {count(figures.reads, 'shadow read')}. A decision "
        f"needs at least {MIN_READS}."
    )
    if settings.rollout.shadow_share > 0:
        return said
    return f"{said} The setting rollout.shadow_share is 0, so the service makes none."


def _describe_errors(figures: ShadowFigures) -> str | None:
    """Return why the candidate is refused for its errors. None if it is not."""
    if not figures.errors:
        return None
    # scipy takes 0.7 s to import, and only the gate needs it.
    from scipy import stats

    test = stats.binomtest(figures.errors, figures.reads, MAX_ERROR_RATIO, alternative="greater")
    if test.pvalue > ERROR_LEVEL:
        return None
    return (
        f"The candidate failed in {figures.errors} of {figures.reads:,} shadow reads, and at most "
        f"{MAX_ERROR_RATIO:.0%} is allowed."
    )


def _describe_slowness(settings: CollectionSettings, figures: ShadowFigures) -> str | None:
    """Return why the candidate is refused for its speed. None if it is not."""
    live, own = figures.live_p50_ms, figures.candidate_p50_ms
    if live is None or own is None or not is_too_slow(settings, live, own):
        return None
    return (
        f"The median time was {own:.1f} ms in the candidate, and {live:.1f} ms in the live "
        f"generation. At most {settings.gate.max_latency_ratio:g} times as long is allowed."
    )


def _describe(figures: ShadowFigures) -> str:
    said = (
        f"The last 7 days have {count(figures.reads, 'shadow read')}. The candidate failed in "
        f"{figures.errors:,} of them."
    )
    if figures.overlap is None or figures.rank_biased_overlap is None:
        return said
    return (
        f"{said} The median time was {figures.candidate_p50_ms:.1f} ms in the candidate and "
        f"{figures.live_p50_ms:.1f} ms in the live generation. Of the first ten documents, "
        f"{figures.overlap:.0%} are equal (rank-biased overlap "
        f"{figures.rank_biased_overlap:.2f}). Searches without a hit: "
        f"{figures.candidate_zero_results} in the candidate, {figures.live_zero_results} in the "
        "live generation."
    )
