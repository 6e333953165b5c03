"""What a search found about one document: its entries in each stage, and why it is a hit or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import RowMapping

from ragline.search.candidates import Retrieval
from ragline.search.document_ranks import RankedEntries
from ragline.search.entries import Entry, choose_hits
from ragline.search.explanation_messages import BestChunk, Exclusion, Reason, StageRank
from ragline.search.fusion import Candidate
from ragline.search.hit_confidence import ConfidenceRule
from ragline.search.messages import SearchRequest
from ragline.search.query_words import QueryWord

# A leg's rank of an entry, its score, and its part of the fused score.
_LegFigures = tuple[int | None, float | None, float | None]
_NOT_REACHED: _LegFigures = (None, None, None)


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """What is known about one document in one search.

    `document` is the document's row of `search/select_explained_documents`. `entries` are all
    candidates in the order of the answer, before `top_k`, `max_per_document` and `min_confidence`
    are applied.
    """

    request: SearchRequest
    retrieval: Retrieval
    document: RowMapping
    exclusions: tuple[Exclusion, ...]
    ranked: RankedEntries
    entries: list[Entry]
    rule: ConfidenceRule

    def choose_best_entry(self, ids: Sequence[int]) -> int | None:
        """Return the id of the entry of the best chunk.

        This is the document's first entry in the answer. Otherwise it is the document's best entry
        after the fusion. If the fusion has no entry of the document, it is the first of `ids`.
        """
        own = self._list_own_entries()
        if own and own[0].row["id"] in ids:
            return int(own[0].row["id"])
        for candidate in (*self.ranked.fused, *self.ranked.before_feedback):
            return candidate.id
        return ids[0] if ids else None

    def list_hits(self) -> list[Entry]:
        """Return all hits of the search, not only those of the explained document."""
        return [one for one in choose_hits(self.entries, self.request) if self.rule.keeps(one)]

    def find_unsure_hit(self) -> Entry | None:
        """Return the document's first hit if `min_confidence` removes it, or None."""
        hits = choose_hits(self.entries, self.request)
        return next((one for one in hits if self._is_own(one) and not self.rule.keeps(one)), None)

    def find_hit_rank(self) -> int | None:
        """Return the rank of the document's first hit, or None if it has no hit."""
        if any(one.limit == "min_generation" for one in self.exclusions):
            return None
        hits = enumerate(self.list_hits(), start=1)
        return next((rank for rank, hit in hits if self._is_own(hit)), None)

    def count_left_out(self) -> int:
        """Return the number of the document's chunks that `max_per_document` leaves out."""
        if self.request.max_per_document is None:
            return 0
        hits = self.list_hits()
        unlimited = choose_hits(self.entries, replace(self.request, max_per_document=None))
        own = [one for one in unlimited if self._is_own(one) and self.rule.keeps(one)]
        return len([one for one in own if one not in hits])

    def find_reason(
        self, rank: int | None, chunk: BestChunk | None, words: Sequence[QueryWord]
    ) -> Reason:
        """Return why the document is a hit or not. `rank` is the rank of its first hit."""
        if rank is not None:
            return "hit"
        if self.document["entry_count"] == 0:
            is_empty = self.document["state"] == "ready" and self.document["chunk_count"] == 0
            return "no_text" if is_empty else "not_indexed"
        if self.exclusions:
            return self.exclusions[0].limit
        if self.request.mode == "keyword" and not any(word.is_matched for word in words):
            return "no_word"
        own = self._list_own_entries()
        if chunk is None or not own:
            return "not_a_candidate"
        return self._find_limit(own[0])

    def _find_limit(self, first: Entry) -> Reason:
        """Return which limit of the answer leaves out the document's first entry."""
        if self.find_unsure_hit() is not None:
            return "min_confidence"
        return "reranked" if first.fused_rank <= self.request.top_k else "top_k"

    def list_stages(self, entry_id: int) -> tuple[StageRank, ...]:
        """Return the ranks of an entry in each stage.

        First come the legs of the last pass, then the later stages.
        """
        first_pass = _find(self.ranked.before_feedback, entry_id)
        last_pass = _find(self.ranked.fused, entry_id)
        own = next((one for one in self.entries if one.row["id"] == entry_id), None)
        stages = self._list_legs(last_pass)
        if self.retrieval.settings.feedback_weight > 0 and self.request.mode != "keyword":
            rank, score = (first_pass.rank, first_pass.score) if first_pass else (None, None)
            stages.append(StageRank("first_fusion", rank, score))
        fused_rank = own.fused_rank if own else self.count_fused_rank(last_pass)
        fused_score = last_pass.score if last_pass else None
        limit = self.retrieval.limit
        stages.append(StageRank("fusion", fused_rank, fused_score, last_rank=limit))
        if self.request.rerank:
            stages.append(self._describe_reranking(own))
        stages.append(self._describe_answer(own))
        return tuple(stages)

    def count_fused_rank(self, candidate: Candidate | None) -> int | None:
        """Return the rank after the fusion of an entry that is no candidate of the search.

        `candidate` is the entry as the fusion ranks it. If it is None, the result is None. With
        several queries, the exact rank is unknown. The result is then at least the rank after the
        last candidate.
        """
        if candidate is None:
            return None
        if len(self.retrieval.queries) == 1:
            return candidate.rank
        return max(candidate.rank, len(self.entries) + 1)

    def find_answer_rank(self) -> int | None:
        """Return the rank of the document's best entry in an answer without the limit `top_k`."""
        return self._describe_answer(next(iter(self._list_own_entries()), None)).rank

    def _list_legs(self, candidate: Candidate | None) -> list[StageRank]:
        depth = self.retrieval.depth
        stages = []
        found: _LegFigures
        if self.request.mode != "keyword":
            found = _NOT_REACHED
            if candidate:
                found = candidate.vector_rank, candidate.vector_score, candidate.vector_part
            stages.append(StageRank("vector", *found, last_rank=depth))
        if self.request.mode != "vector":
            found = _NOT_REACHED
            if candidate:
                found = candidate.keyword_rank, candidate.keyword_score, candidate.keyword_part
            stages.append(StageRank("keyword", *found, last_rank=depth))
        return stages

    def _describe_reranking(self, own: Entry | None) -> StageRank:
        if own is None or own.rerank_score is None:
            return StageRank("reranking", None, None)
        better = [one for one in self.entries if (one.rerank_score or -2.0) > own.rerank_score]
        return StageRank("reranking", len(better) + 1, own.rerank_score, own.rerank_part)

    def _describe_answer(self, own: Entry | None) -> StageRank:
        unlimited = choose_hits(self.entries, replace(self.request, top_k=len(self.entries)))
        for rank, entry in enumerate(unlimited, start=1):
            if own is not None and entry.row["id"] == own.row["id"]:
                return StageRank("answer", rank, entry.score, last_rank=self.request.top_k)
        return StageRank("answer", None, None, last_rank=self.request.top_k)

    def _is_own(self, entry: Entry) -> bool:
        return bool(entry.row["document_key"] == self.document["id"])

    def _list_own_entries(self) -> list[Entry]:
        return [entry for entry in self.entries if self._is_own(entry)]


def _find(candidates: Sequence[Candidate], entry_id: int) -> Candidate | None:
    return next((one for one in candidates if one.id == entry_id), None)
