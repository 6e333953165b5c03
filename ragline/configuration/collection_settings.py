"""The settings of a collection: chunking, search, gate, and the collection itself.

`rollout_settings` has the part `rollout`, and `settings` has the whole configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ragline.access.tenants import DEFAULT_TENANT
from ragline.configuration.rollout_settings import RolloutSettings
from ragline.configuration.strict_settings import Share, StrictSettings
from ragline.fingerprints import fingerprint
from ragline.sources.settings import NAME_PATTERN

# The measures of an evaluation, each with its name in the package ir_measures.
MEASURES = {"ndcg@10": "nDCG@10", "recall@10": "R@10", "recall@100": "R@100", "mrr@10": "RR@10"}


# The lowest confidence of a confident hit if `min_confidence` is 0. With it, searches answer 90 %
# of the queries with an answer, and no query without one. Source: benchmarks/README.md,
# "Confidence".
DEFAULT_CONFIDENCE = 0.3

QueryText = Literal["full", "hashed", "none"]
BuildMode = Literal["automatic", "manual"]
ApprovalMode = Literal["none", "required"]


class ChunkingSettings(StrictSettings):
    """How documents are split into chunks. The numbers count tokens of the embedding model.

    Source of the defaults: benchmarks/chunking_quality.py.
    """

    max_tokens: int = Field(
        default=200,
        ge=16,
        le=8192,
        description="Maximum number of tokens in a chunk with its headings, counted by the "
        "tokenizer of the embedding model. It must not exceed the number of tokens that the "
        "model reads. If the model reads fewer than 200 tokens, the default is the number of "
        "tokens that it reads.",
    )
    overlap_tokens: int = Field(
        default=20,
        ge=0,
        description="Number of tokens that a chunk repeats from the end of the previous chunk. It "
        "is at most half of `max_tokens`.",
    )

    @model_validator(mode="after")
    def _check_overlap(self) -> ChunkingSettings:
        if self.overlap_tokens > self.max_tokens // 2:
            raise ValueError(
                f"overlap_tokens {self.overlap_tokens} is over half of max_tokens "
                f"{self.max_tokens}; at most {self.max_tokens // 2} is allowed"
            )
        return self


class SearchSettings(StrictSettings):
    """How a collection is searched. Source of the defaults: benchmarks/README.md, "Search"."""

    vector_weight: Share = Field(
        default=0.5,
        description="Weight of the vector leg in the fused score, from 0 to 1. The keyword leg has "
        "the rest of the weight.",
    )
    candidates: int = Field(
        default=100, ge=1, le=1000, description="Maximum number of candidates from each leg."
    )
    feedback_weight: Share = Field(
        default=0.0,
        description="Weight of the feedback pass, a second vector search. It says how far the "
        "query's vector is moved towards the mean vector of the first hits. With 0, there is no "
        "feedback pass.",
    )
    keyword_bound: int = Field(
        default=20_000,
        ge=1,
        description="Limits how many entries the keyword leg examines. The leg starts with the "
        "rarest word of the query and adds the next rarest words. For each word, it counts the "
        "entries that contain the word. It stops before the sum of these counts exceeds this "
        "number. It always uses the rarest word.",
    )
    rerank_candidates: int = Field(
        default=20,
        ge=1,
        le=200,
        description="Number of candidates that are reranked. These are the first candidates by "
        "fused score.",
    )
    rerank_weight: Share = Field(
        default=0.5,
        description="Weight of the reranker in the score of a reranked candidate, from 0 to 1. The "
        "fused score has the rest of the weight.",
    )
    min_confidence: Share = Field(
        default=0.0,
        description="Minimum confidence of a hit, from 0 to 1. Hits with a lower confidence are "
        "removed from the answer. With 0, no hit is removed. It has an effect only if the live "
        "generation has a calibration (docs/confidence.md).",
    )

    @property
    def confident_from(self) -> float:
        """The lowest confidence of a confident hit."""
        return self.min_confidence or DEFAULT_CONFIDENCE


class VectorIndexSettings(StrictSettings):
    """The vector index of a generation, which is an HNSW index.

    Source of the defaults: benchmarks/README.md, "The vector index".
    """

    m: int = Field(
        default=16,
        ge=2,
        le=100,
        description="Number of connections of an entry in the graph. More connections give a "
        "higher index recall and a larger index. If it changes, the next sync replaces the index. "
        "No new generation is built.",
    )
    ef_construction: int = Field(
        default=64,
        ge=4,
        le=1000,
        description="Number of candidates for the connections of an entry, at least 2 · `m`. With "
        "more candidates, the index recall is higher and the build is slower. If it changes, the "
        "next sync replaces the index.",
    )
    ef_search: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Number of entries that a search keeps while it follows the connections. With "
        "more entries, the index recall is higher and the search is slower. A search uses at least "
        "`search.candidates`. A change needs no sync.",
    )
    max_build_workers: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Maximum number of parallel workers that help to build the index. With the "
        "embedded database, the maximum is the number of processors minus one.",
    )
    max_build_memory_bytes: int = Field(
        default=1_000_000_000,
        ge=64_000_000,
        le=1_000_000_000_000,
        description="Maximum memory of the build, in bytes. The build uses only what the index "
        "needs. If the index needs more, the build is several times slower. With the embedded "
        "database, the maximum is half of the free memory.",
    )

    @model_validator(mode="after")
    def _check_candidates(self) -> VectorIndexSettings:
        if self.ef_construction < 2 * self.m:
            raise ValueError(
                f"ef_construction {self.ef_construction} is less than twice m {self.m}; at least "
                f"{2 * self.m} is required"
            )
        return self


class GateSettings(StrictSettings):
    """When the gate refuses a candidate. docs/gate.md explains the decision.

    Source of the defaults: benchmarks/gate_calibration.py.
    """

    ndcg_margin: Share = Field(
        default=0.02,
        description="How much lower the mean nDCG@10 of a candidate may be than that of the live "
        "generation.",
    )
    recall_margin: Share = Field(default=0.02, description="The same limit for the mean recall@10.")
    mrr_margin: Share = Field(default=0.02, description="The same limit for the mean MRR@10.")
    slice_margin: Share = Field(
        default=0.05,
        description="How much lower the mean nDCG@10 of a candidate may be in one slice of the "
        "queries, such as the queries for one source.",
    )
    min_queries: int = Field(
        default=20,
        ge=2,
        description="Minimum number of judged queries. With fewer queries, the gate does not "
        "decide.",
    )
    detectable_fall: Share = Field(
        default=0.1,
        description="The fall of nDCG@10 that the gate must be able to detect. If the golden set "
        "has too few queries to detect this fall in 80 % of the cases, the gate does not decide.",
    )
    min_index_recall: Share = Field(
        default=0.9, description="Minimum index recall of the candidate's vector index."
    )
    abstention_margin: Share = Field(
        default=0.05,
        description="How much lower each of two shares of a candidate may be. The first is the "
        "share of the queries with an answer for which a hit is confident. The second is the share "
        "of the queries without an answer for which no hit is confident. A hit is confident if its "
        "confidence is at least `search.min_confidence`, or 0.3 if that is 0.",
    )
    max_gone_judgements: Share = Field(
        default=0.5,
        description="Maximum share of the judgements whose document is gone from the collection. "
        "With a larger share, the gate refuses every candidate, because the golden set does not "
        "belong to this collection any more.",
    )
    max_latency_ratio: float = Field(
        default=1.5,
        ge=1,
        description="Maximum ratio of two search times: the median in the candidate, divided by "
        "the median in the live generation. A difference of less than 10 ms is always allowed.",
    )


class CollectionSettings(StrictSettings):
    """One collection: how its documents are chunked, embedded and searched."""

    name: str = Field(
        pattern=NAME_PATTERN,
        description="Name of the collection, of lower-case letters, digits, `-` and `_`. Searches, "
        "Dagster assets and commands use this name.",
    )
    tenant: str = Field(
        default=DEFAULT_TENANT,
        pattern=NAME_PATTERN,
        description="Tenant that owns the collection. A caller with a key of another tenant cannot "
        "see that the collection exists.",
    )
    embedding_model: str = Field(
        default="sentence-transformers/all-MiniLM-L6-v2",
        description="Name or folder of a sentence-transformers model. The default model is "
        "installed with Ragline and needs no network. A change needs a new generation (`build`).",
    )
    chunking: ChunkingSettings = Field(
        default=ChunkingSettings(),
        description="How documents are split into chunks. A change needs a new generation "
        "(`build`).",
    )
    language: str = Field(
        default="english",
        pattern=r"^[a-z_]+$",
        description="Text search configuration of Postgres for the keyword leg, such as `english` "
        "or `german`. `simple` works with every language. A change needs a new generation "
        "(`build`).",
    )
    build: BuildMode = Field(
        default="manual",
        description="Who starts the build of a new generation and promotes it, after a change of "
        "the model, the chunking or the language. `manual`: an operator does, with `ragline "
        "generation build` and `ragline generation promote`. `automatic`: the next sync does both, "
        "and runs the gate before the promotion if the collection has a golden set. The first "
        "generation of a collection is always built and promoted by a sync.",
    )
    approval: ApprovalMode = Field(
        default="none",
        description="Whether a candidate needs an approval before its promotion. `required`: a "
        "person must approve the last report of the gate about it, with `ragline generation "
        "approve` or over HTTP.",
    )
    reranker: str = Field(
        default="late-interaction",
        description="Reranker of the collection. `late-interaction` uses the embedding model. "
        "Every other value is the name or the folder of a cross-encoder. A change needs a "
        "promotion.",
    )
    golden: Path | None = Field(
        default=None,
        description="Folder of a golden set in the BEIR layout. Its judgements must use the "
        "document ids that `ragline documents` prints.",
    )
    thresholds: dict[str, Share] = Field(
        default_factory=dict,
        description="Minimum value of each measure. If an evaluation is below a minimum, the check "
        "of the evaluation fails. The gate refuses a candidate that is below a minimum, even if "
        "the live generation is below it too. The measures are "
        f"{', '.join(f'`{name}`' for name in MEASURES)}.",
    )
    gate: GateSettings = Field(
        default=GateSettings(), description="When `ragline gate` refuses a candidate."
    )
    rollout: RolloutSettings = Field(
        default=RolloutSettings(),
        description="How real searches test a new generation, before and after its promotion.",
    )
    hnsw_from_entries: int = Field(
        default=20_000,
        ge=0,
        description="Minimum number of entries for which a vector index is built. With fewer "
        "entries, the vector leg compares the query with all entries.",
    )
    vector_index: VectorIndexSettings = Field(
        default=VectorIndexSettings(), description="How the vector index is built and searched."
    )
    search: SearchSettings = Field(
        default=SearchSettings(),
        description="How the collection is searched. A change needs a promotion.",
    )
    query_text: QueryText = Field(
        default="full",
        description="How the record of a search stores the query. With `full`, Ragline stores the "
        "text. With `hashed`, it stores a hash, which shows only whether two queries are equal. "
        "With `none`, it stores nothing. `unanswered_topics` and `drift` need the text.",
    )

    @property
    def search_fingerprint(self) -> str:
        """A hash of the settings that, for a given index, decide which hits a search returns."""
        used = {"search": self.search.model_dump(mode="json"), "reranker": self.reranker}
        return fingerprint(used | {"ef_search": self.vector_index.ef_search})

    @field_validator("golden")
    @classmethod
    def _resolve_golden(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        return None if path is None else (_folder(info) / path.expanduser()).resolve()

    @field_validator("embedding_model", "reranker")
    @classmethod
    def _resolve_model(cls, model: str, info: ValidationInfo) -> str:
        """Make a path that begins with ./ or ../ absolute. It is relative to the file's folder."""
        if model.startswith(("./", "../")):
            return str((_folder(info) / model).resolve())
        return model

    @field_validator("thresholds")
    @classmethod
    def _check_measures(cls, thresholds: dict[str, float]) -> dict[str, float]:
        for name in thresholds:
            if name not in MEASURES:
                raise ValueError(f"unknown measure {name!r}; allowed: {', '.join(MEASURES)}")
        return thresholds


def _folder(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", Path.cwd()))
