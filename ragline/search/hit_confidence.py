"""Gives each hit its confidence, and removes the hits below `min_confidence`.

`ragline.confidence` explains what a confidence is, and how calibrations are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log

from ragline.confidence.calibration import Calibration, Evidence, SearchKind
from ragline.configuration import CollectionSettings
from ragline.errors import InvalidSearchError
from ragline.search.entries import Entry
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import SearchRequest
from ragline.search.rerank_stage import resolve_reranker

# This is added to a share before the logarithm is computed, because a share can be 0. Source:
# benchmarks/confidence_calibration.py.
SMALL_SHARE = 0.02
# More digits would claim a precision that no golden set gives.
DIGITS = 4
READERS: dict[Evidence, Callable[[Entry], float | None]] = {
    "cosine": lambda entry: entry.candidate.cosine,
    "log_keyword_share": lambda entry: find_log_share(entry.candidate.keyword_share),
    "rerank_score": lambda entry: entry.rerank_score,
}


def find_log_share(share: float | None) -> float | None:
    """Return the logarithm of a share of words that were found, or None without a share.

    The logarithm is used because the first found words say more about relevance than the last ones.
    """
    return None if share is None else log(share + SMALL_SHARE)


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """How the hits of one request get their confidence, and from which confidence they are kept.

    Without a calibration, `reason` says why.
    """

    calibration: Calibration | None
    reason: str | None
    min_confidence: float

    def keeps(self, entry: Entry) -> bool:
        """Whether a rated entry may be a hit. Without a calibration, every entry may be one."""
        return self.calibration is None or (entry.confidence or 0.0) >= self.min_confidence


@dataclass(frozen=True, slots=True)
class RatedHits:
    """The hits that are kept, with their confidence. `note` is for the caller.

    `is_abstained` says that all hits were removed. `best_confidence` is the highest confidence of
    all hits, also of those that were removed. It is None without hits or without a calibration.
    `is_minimum_ignored` says that there is no calibration, so `min_confidence` of the settings
    removed nothing.
    """

    entries: list[Entry]
    note: str | None = None
    is_abstained: bool = False
    best_confidence: float | None = None
    is_minimum_ignored: bool = False


def make_rule(
    request: SearchRequest, settings: CollectionSettings, generation: LiveGeneration
) -> ConfidenceRule:
    """Find the calibration for a request, and the confidence from which hits are kept.

    Raises:
        InvalidSearchError: the request states a `min_confidence`, and there is no calibration. If
            the settings of the collection state it, the answer has a note instead.
    """
    calibration, reason = _find_calibration(request, settings, generation)
    stated = request.min_confidence
    if stated and reason is not None:
        raise InvalidSearchError("min_confidence", f"hits have no confidence, because {reason}")
    least = settings.search.min_confidence if stated is None else stated
    return ConfidenceRule(calibration, reason, least)


def rate_entries(rule: ConfidenceRule, entries: Sequence[Entry]) -> list[Entry]:
    """Return entries with their confidence. Without a calibration, they are unchanged."""
    calibration = rule.calibration
    if calibration is None:
        return list(entries)
    readers = [READERS[name] for name in calibration.evidence]
    rated = []
    for entry in entries:
        confidence = calibration.rate([read(entry) for read in readers])
        if confidence is not None:
            confidence = round(confidence, DIGITS)
        rated.append(replace(entry, confidence=confidence))
    return rated


def keep_confident(rule: ConfidenceRule, entries: Sequence[Entry]) -> RatedHits:
    """Rate the hits of an answer, and remove those below the minimum.

    A hit without a confidence is removed too. Without a calibration, nothing is removed.
    """
    rated = rate_entries(rule, entries)
    if rule.reason is not None:
        note = f"The hits have no confidence, because {rule.reason}."
        if rule.min_confidence:
            note += f" The setting search.min_confidence {rule.min_confidence:g} has no effect."
        return RatedHits(rated, note, is_minimum_ignored=rule.min_confidence > 0)
    kept = [entry for entry in rated if rule.keeps(entry)]
    highest = max((entry.confidence or 0.0 for entry in rated), default=None)
    if len(kept) == len(rated):
        return RatedHits(rated, best_confidence=highest)
    note = (
        f"{len(rated) - len(kept)} of {len(rated)} hits have a confidence below "
        f"{rule.min_confidence:g} and were removed. The highest confidence is {highest:g}."
    )
    return RatedHits(kept, note, not kept, highest)


def _find_calibration(
    request: SearchRequest, settings: CollectionSettings, generation: LiveGeneration
) -> tuple[Calibration | None, str | None]:
    """Return the calibration of the request's kind of search, or the reason why it is missing."""
    kind = SearchKind(request.mode, bool(request.rerank))
    name = f"generation {generation.id}"
    if not generation.calibrations:
        first = "" if settings.golden else "add golden: FOLDER to the collection, then "
        return None, (
            f"{name} has no calibration; {first}`ragline calibrate {request.collection}` makes one "
            "from the golden set"
        )
    found = next(
        (
            one
            for one in generation.calibrations
            if (one["mode"], one["is_reranked"]) == (kind.mode, kind.is_reranked)
        ),
        None,
    )
    if found is None or found["model"] is None:
        reason = "it was not calibrated" if found is None else found["reason"]
        return None, f"{name} has no calibration for searches of the kind {kind.label}: {reason}"
    calibration = Calibration.read(found["model"])
    reranker = resolve_reranker(request, settings) if kind.is_reranked else None
    if calibration.reranker != reranker:
        return None, (
            f"the calibration of {name} is for the reranker {calibration.reranker}, and this "
            f"search uses {reranker}"
        )
    return calibration, None
