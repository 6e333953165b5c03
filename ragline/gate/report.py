"""The report of a gate, as plain values. `markdown` and `junit` write it as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Outcome = Literal["passed", "refused", "undecided"]
Verdict = Literal["passed", "refused", "undecidable"]

# In a reason, these words begin a sentence that names documents. An index card leaves it out.
NAMED_DOCUMENTS = " In detail: "


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate. `reason` consists of complete sentences, also if the check passed."""

    name: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class GenerationFacts:
    """The properties of a generation that the gate compares.

    `size_bytes` is the size of its table with all indexes. `parser_fingerprints` has one value if
    the same version of the parser has read all its documents.
    """

    id: int
    state: str
    model: str
    dimension: int
    space_fingerprint: str
    chunker_fingerprint: str
    language: str
    analysis_version: str | None
    entries: int
    documents: int
    size_bytes: int
    has_vector_index: bool
    parser_fingerprints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of both generations over the same queries, or over one slice of them.

    `live` and `candidate` are means, and `difference` is `candidate` minus `live`. With 95 %
    confidence, the true difference is not below `low`. With 95 % confidence, it is not above
    `high`. `standard_error` is the standard error of `difference`. `p_value` is the probability of
    a fall of at least this size if both generations are equally good. `adjusted_p_value` is
    `p_value`, adjusted for `compared` comparisons, which are decided together. `detectable_fall` is
    the smallest true fall that the gate refuses with a probability of 80 %. `fell` and `rose` count
    the queries whose value is lower or higher in the candidate. A comparison without a margin is
    shown and decides nothing. `threshold` is the minimum of `candidate` that the setting
    `thresholds` states.
    """

    measure: str
    queries: int
    live: float
    candidate: float
    difference: float
    low: float
    high: float
    standard_error: float
    p_value: float
    fell: int
    rose: int
    slice: str | None = None
    margin: float | None = None
    detectable_fall: float | None = None
    adjusted_p_value: float | None = None
    is_refused: bool = False
    threshold: float | None = None
    compared: int | None = None


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """A document that a search found. `grade` is None if the golden set does not judge it."""

    document_id: str
    grade: int | None
    words: str


@dataclass(frozen=True, slots=True)
class FallenQuery:
    """A query whose nDCG@10 is lower in the candidate, with the first documents of both sides.

    `is_reranked` says that it is lower only in reranked searches. The documents are then those of
    reranked searches.
    """

    id: str
    query: str
    live_ndcg: float
    candidate_ndcg: float
    live: tuple[RankedDocument, ...]
    candidate: tuple[RankedDocument, ...]
    is_reranked: bool = False


@dataclass(frozen=True, slots=True)
class Latency:
    """The median and the 95th percentile of the search times of both generations, in milliseconds.

    Both generations were searched with the same queries.
    """

    queries: int
    live_p50_ms: float
    live_p95_ms: float
    candidate_p50_ms: float
    candidate_p95_ms: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """The result of a gate, with everything that is needed to compute it again.

    `golden_set_version` and `split` say which queries were used. `code_version` is the version of
    Ragline. `reasons` contains the reasons of the checks that did not pass. `measures` compares the
    generations over all queries, and `slices` over parts of the queries. The name of a measure of
    reranked searches begins with `reranked`. `abstention` compares how often the generations answer
    and how often they are silent. `index_recall` is None if the
    candidate has no vector index or there are no queries. `fallen` contains the queries whose
    nDCG@10 is lower in the candidate, the largest fall first. `failed_live` and `failed_candidate`
    count the queries that timed out. `seed` is the seed of the resampling. `settings_fingerprint`
    is a hash of the settings of the gate and of the candidate's searches.
    `live_settings_fingerprint` is the same hash for the live generation. `changed_settings` names
    the search settings that differ between the candidate and the live generation.
    `searched_settings` contains the search settings of the candidate.
    """

    collection: str
    live: GenerationFacts | None
    candidate: GenerationFacts
    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    measures: tuple[Comparison, ...]
    slices: tuple[Comparison, ...]
    index_recall: float | None
    latency: Latency | None
    fallen: tuple[FallenQuery, ...]
    queries: int
    failed_live: int
    failed_candidate: int
    golden_set_version: str | None
    split: str | None
    settings_fingerprint: str
    code_version: str
    seed: int
    started_at: datetime
    seconds: float
    abstention: tuple[Comparison, ...] = ()
    live_settings_fingerprint: str | None = None
    changed_settings: tuple[str, ...] = ()
    searched_settings: Mapping[str, Any] | None = None
