"""Why a document is a hit of a search, or is not: its state, the limits, its rank in each stage.

What a caller may not see is answered like a document that does not exist, unless the caller may
administer. Ranks are exact, also behind the last candidate. Searching itself is `searcher`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from ragline.errors import AmbiguousDocumentError, UnknownDocumentError
from ragline.search.candidates import (
    Candidate,
    RankedEntries,
    Retrieval,
    bind_filter,
    rank_document,
)
from ragline.search.filters import Condition, compile_filter, list_forms, split_filter
from ragline.search.hits import Entry
from ragline.search.messages import SearchRequest
from ragline.search.query_words import QueryWord, list_partial_words, read_query_words
from ragline.search.searcher import CONFIRMED, Searcher, choose_hits
from ragline.storable_text import clean_value
from ragline.storage.generation_tables import load_generation_statement
from ragline.storage.statements import load_statement

SHOWN_WORDS = 8
Limit = Literal["principals", "filter", "max_age", "min_generation"]
Reason = Literal[
    "hit",
    "not_indexed",
    "no_text",
    "principals",
    "filter",
    "max_age",
    "min_generation",
    "no_word",
    "not_a_candidate",
    "reranked",
    "top_k",
]


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document in the ledger. `chunks` counts those that are served."""

    state: str
    chunks: int
    error_name: str | None
    error: str | None
    attempts: int
    next_attempt_at: datetime | None
    noticed_at: datetime
    missing_since: datetime | None
    visible_at: datetime | None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A limit of the search that keeps a document out; of a filter, the condition it fails."""

    limit: Limit
    place: str | None = None
    condition: Any = None


@dataclass(frozen=True, slots=True)
class BestChunk:
    """The chunk of a document that came furthest."""

    entry_id: int
    ordinal: int
    heading_path: tuple[str, ...]
    page: int | None
    char_start: int
    char_end: int
    text: str


@dataclass(frozen=True, slots=True)
class StageRank:
    """The best chunk in one stage. Ranks are from 1, among all that the search may answer with.

    Without a rank the stage did not see it. `part` is what the stage gave to the score after it.
    """

    stage: Literal["vector", "keyword", "first_fusion", "fusion", "reranking", "answer"]
    rank: int | None
    score: float | None
    part: float | None = None
    # The last rank that goes on to the next stage.
    last_rank: int | None = None


@dataclass(frozen=True, slots=True)
class DocumentExplanation:
    """Why a document is a hit, or is not. `answer` says it in one sentence, with what to change.

    `rank` is that of its first hit, `last_hit_score` what the last hit of the answer has.
    `left_out_chunks` are those that would be hits if `max_per_document` did not keep them out.
    """

    collection: str
    generation: int
    source: str
    document_id: str
    title: str | None
    is_hit: bool
    rank: int | None
    reason: Reason
    answer: str
    document: DocumentState
    obstacles: tuple[Obstacle, ...]
    best_chunk: BestChunk | None
    stages: tuple[StageRank, ...]
    words: tuple[QueryWord, ...]
    missing_words: tuple[str, ...]
    top_k: int
    last_hit_score: float | None
    left_out_chunks: int

    def list_partial_words(self) -> list[str]:
        """The words of which it has only parts, each with these parts."""
        return list_partial_words(self.words)


def explain_document(
    searcher: Searcher,
    request: SearchRequest,
    document_id: str,
    source: str | None = None,
    *,
    reveals_hidden: bool = False,
) -> DocumentExplanation:
    """Why a document is a hit of this search, or is not.

    `reveals_hidden` also explains what the principals of the search may not see; for callers who
    may administer. Costs the search and a scan of the index for each wording of the query.

    Raises:
        UnknownDocumentError: the collection has no such document, for all the caller may know.
        AmbiguousDocumentError: several sources have one of that id, and none is named.
        As `Searcher.search`, but not GenerationTooOldError.
    """
    retrieval = searcher.prepare(request)
    with searcher.read(retrieval, request.tenant) as connection:
        row = _find_document(
            connection, request, retrieval, document_id, source, reveals_hidden=reveals_hidden
        )
        seen = _read_entries(connection, request, retrieval, row["id"])
        obstacles = _find_obstacles(connection, request, retrieval, row, seen)
        hidden = not reveals_hidden and not any(one["is_admitted"] for one in seen)
        ranked = RankedEntries((), ())
        if seen and not hidden:
            ranked = rank_document(connection, retrieval, row["id"])
    case = _Case(request, retrieval, row, obstacles, ranked, searcher.rank(request, retrieval))
    ids = [] if hidden else [one["id"] for one in seen]
    with searcher.read(retrieval, request.tenant) as connection:
        chunk = _read_chunk(connection, retrieval, case.choose_entry(ids))
        words: tuple[QueryWord, ...] = ()
        if chunk is not None:
            words = read_query_words(
                connection, retrieval.generation, retrieval.queries, row["id"], chunk.entry_id
            )
    return case.explain(chunk, words)


def _find_document(
    connection: Connection,
    request: SearchRequest,
    retrieval: Retrieval,
    document_id: str,
    source: str | None,
    *,
    reveals_hidden: bool,
) -> RowMapping:
    exact = clean_value(document_id)
    parameters = {
        "collection": request.collection,
        "document_ids": list_forms(exact),
        "source": source,
        "generation_id": retrieval.generation.id,
        "chunker_fingerprint": retrieval.generation.chunker_fingerprint,
        "principals": _list(request.principals),
        "reveals_hidden": reveals_hidden,
    }
    statement = load_statement("search/select_explained_documents")
    rows = list(connection.execute(statement, parameters).mappings())
    found = [row for row in rows if row["document_id"] == exact] or rows
    if not found:
        raise UnknownDocumentError(
            f"no document {document_id!r} is in collection {request.collection!r}"
        )
    sources = sorted({row["source"] for row in found})
    if len(sources) > 1:
        raise AmbiguousDocumentError(
            f"document {document_id!r} is in several sources: {', '.join(sources)}; name one"
        )
    return found[0]


def _list(principals: Sequence[str] | None) -> list[str] | None:
    return None if principals is None else list(principals)


def _read_entries(
    connection: Connection,
    request: SearchRequest,
    retrieval: Retrieval,
    document_key: int,
    condition: Condition | None = None,
) -> list[RowMapping]:
    """The entries of a document, and which of them the principals and a condition let through."""
    wanted = condition or retrieval.condition or Condition("true", {})
    statement = bind_filter("search/select_explained_entries", retrieval.generation.id, wanted.sql)
    parameters = {
        **wanted.values,
        "principals": _list(request.principals),
        "document_key": document_key,
    }
    return list(connection.execute(statement, parameters).mappings())


def _find_obstacles(
    connection: Connection,
    request: SearchRequest,
    retrieval: Retrieval,
    row: RowMapping,
    seen: Sequence[RowMapping],
) -> tuple[Obstacle, ...]:
    """The limits of a search that keep all entries of a document out."""
    found: list[Obstacle] = []
    wanted = request.min_generation
    if wanted is not None and retrieval.generation.id < wanted:
        found.append(Obstacle("min_generation", condition=wanted))
    if not row["is_admitted"] or (seen and not any(one["is_admitted"] for one in seen)):
        found.append(Obstacle("principals"))
    if not seen or any(one["is_matching"] for one in seen):
        return tuple(found)

    def is_met(condition: Condition) -> bool:
        entries = _read_entries(connection, request, retrieval, row["id"], condition)
        return any(one["is_matching"] for one in entries)

    if request.filter and not is_met(compile_filter(request.filter)):
        parts = [
            Obstacle("filter", place, part)
            for place, part in split_filter(request.filter)
            if not is_met(compile_filter(part))
        ]
        # Each condition may hold for another chunk, and none for one and the same.
        found += parts or [Obstacle("filter", "filter", dict(request.filter))]
    if request.max_age is not None and not is_met(
        Condition(CONFIRMED, {"max_age": request.max_age})
    ):
        found.append(Obstacle("max_age", condition=request.max_age.total_seconds()))
    return tuple(found) or (Obstacle("filter", "filter", dict(request.filter or {})),)


def _read_chunk(
    connection: Connection, retrieval: Retrieval, entry_id: int | None
) -> BestChunk | None:
    if entry_id is None:
        return None
    statement = load_generation_statement("search/select_hits", retrieval.generation.id)
    row = connection.execute(statement, {"ids": [entry_id]}).mappings().first()
    if row is None:
        return None
    return BestChunk(
        entry_id=entry_id,
        ordinal=row["ordinal"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        text=row["text"],
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of one document in one search."""

    request: SearchRequest
    retrieval: Retrieval
    row: RowMapping
    obstacles: tuple[Obstacle, ...]
    ranked: RankedEntries
    entries: list[Entry]

    def choose_entry(self, ids: Sequence[int]) -> int | None:
        """The entry of the best chunk: the first in the answer, else the best after fusion."""
        own = self._own_entries()
        if own and own[0].row["id"] in ids:
            return int(own[0].row["id"])
        for candidate in (*self.ranked.fused, *self.ranked.before_feedback):
            return candidate.id
        return ids[0] if ids else None

    def explain(self, chunk: BestChunk | None, words: tuple[QueryWord, ...]) -> DocumentExplanation:
        row, request = self.row, self.request
        hits = choose_hits(self.entries, request)
        rank = next((rank for rank, hit in enumerate(hits, 1) if self._is_own(hit)), None)
        if any(one.limit == "min_generation" for one in self.obstacles):
            rank = None
        stages = () if chunk is None else self._list_stages(chunk.entry_id)
        missing = tuple(word.word for word in words if not word.is_in_document)
        reason = self._find_reason(rank, chunk, words)
        return DocumentExplanation(
            collection=request.collection,
            generation=self.retrieval.generation.id,
            source=row["source"],
            document_id=row["document_id"],
            title=row["title"],
            is_hit=rank is not None,
            rank=rank,
            reason=reason,
            answer=self._say(reason, rank, words),
            document=_read_state(row),
            obstacles=self.obstacles,
            best_chunk=chunk,
            stages=stages,
            words=words,
            missing_words=missing,
            top_k=request.top_k,
            last_hit_score=hits[-1].score if hits else None,
            left_out_chunks=self._count_left_out(hits),
        )

    def _is_own(self, entry: Entry) -> bool:
        return bool(entry.row["document_key"] == self.row["id"])

    def _own_entries(self) -> list[Entry]:
        return [entry for entry in self.entries if self._is_own(entry)]

    def _count_left_out(self, hits: Sequence[Entry]) -> int:
        if self.request.max_per_document is None:
            return 0
        freely = choose_hits(self.entries, replace(self.request, max_per_document=None))
        return len([one for one in freely if self._is_own(one) and one not in hits])

    def _find_reason(
        self, rank: int | None, chunk: BestChunk | None, words: Sequence[QueryWord]
    ) -> Reason:
        if rank is not None:
            return "hit"
        if self.row["entry_count"] == 0:
            is_empty = self.row["state"] == "ready" and self.row["chunk_count"] == 0
            return "no_text" if is_empty else "not_indexed"
        if self.obstacles:
            return self.obstacles[0].limit
        if self.request.mode == "keyword" and not any(word.is_matched for word in words):
            return "no_word"
        own = self._own_entries()
        if chunk is None or not own:
            return "not_a_candidate"
        return "reranked" if own[0].fused_rank <= self.request.top_k else "top_k"

    def _list_stages(self, entry_id: int) -> tuple[StageRank, ...]:
        """How far the best chunk came: the legs as they counted, then each stage after them."""
        first = _find(self.ranked.before_feedback, entry_id)
        last = _find(self.ranked.fused, entry_id)
        own = next((one for one in self.entries if one.row["id"] == entry_id), None)
        depth, limit = self.retrieval.depth, self.retrieval.limit
        stages: list[StageRank] = []
        if self.request.mode != "keyword":
            found = (last.vector_rank, last.vector_score, last.vector_part) if last else _NOTHING
            stages.append(StageRank("vector", *found, last_rank=depth))
        if self.request.mode != "vector":
            found = (last.keyword_rank, last.keyword_score, last.keyword_part) if last else _NOTHING
            stages.append(StageRank("keyword", *found, last_rank=depth))
        if self.retrieval.settings.feedback_weight > 0 and self.request.mode != "keyword":
            rank, score = (first.rank, first.score) if first else (None, None)
            stages.append(StageRank("first_fusion", rank, score))
        fused_rank = own.fused_rank if own else self._count_rank(last)
        stages.append(
            StageRank("fusion", fused_rank, last.score if last else None, last_rank=limit)
        )
        if self.request.rerank:
            stages.append(self._describe_reranking(own))
        stages.append(self._describe_answer(own))
        return tuple(stages)

    def _count_rank(self, candidate: Candidate | None) -> int | None:
        """The rank of what is no candidate: behind all of them, when there are several wordings."""
        if candidate is None:
            return None
        if len(self.retrieval.queries) == 1:
            return candidate.rank
        return max(candidate.rank, len(self.entries) + 1)

    def _describe_reranking(self, own: Entry | None) -> StageRank:
        if own is None or own.rerank_score is None:
            return StageRank("reranking", None, None)
        better = [one for one in self.entries if (one.rerank_score or -2.0) > own.rerank_score]
        return StageRank("reranking", len(better) + 1, own.rerank_score, own.rerank_part)

    def _describe_answer(self, own: Entry | None) -> StageRank:
        """Its rank in the answer, if that had no end."""
        endless = choose_hits(self.entries, replace(self.request, top_k=len(self.entries)))
        for rank, entry in enumerate(endless, start=1):
            if own is not None and entry.row["id"] == own.row["id"]:
                return StageRank("answer", rank, entry.score, last_rank=self.request.top_k)
        return StageRank("answer", None, None, last_rank=self.request.top_k)

    def _say(self, reason: Reason, rank: int | None, words: Sequence[QueryWord]) -> str:
        name = f"Document {self.row['document_id']!r}"
        partial = list_partial_words(words)
        partly = f" It has only parts of: {_join(partial)}." if partial else ""
        if reason == "hit":
            return f"{name} is hit {rank} of this search.{partly}"
        missing = [word.word for word in words if not word.is_matched]
        lacking = (f" It lacks: {_join(missing)}." if missing else "") + partly
        if reason in ("not_indexed", "no_text"):
            return f"{name} {_say_state(self.row)}"
        if self.obstacles:
            return f"{name} {self._say_obstacle()}"
        if reason == "no_word":
            return f"{name} holds no word of the query; ask in its words, or in mode hybrid."
        answer = self._describe_answer(next(iter(self._own_entries()), None)).rank
        if answer is not None:
            after = " after reranking" if reason == "reranked" else ""
            return (
                f"{name} has rank {answer}{after} and {self.request.top_k} hits were asked for: "
                f"a top_k of {answer} or more would show it.{lacking}"
            )
        return f"{name} {self._say_rank()}{lacking}"

    def _say_rank(self) -> str:
        best = next(iter(self.ranked.fused), None)
        rank = self._count_rank(best)
        if rank is None:
            return "is found by no leg: other entries hold the rare words of the query."
        if rank <= self.request.top_k:
            return (
                "was passed over by the vector index, which is approximate: with `exact` it has "
                f"rank {rank}."
            )
        return (
            f"has rank {rank}, behind the last of {len(self.entries)} candidates: a top_k of "
            f"{rank} or more would show it, or a query nearer to its words."
        )

    def _say_obstacle(self) -> str:
        obstacle = self.obstacles[0]
        if obstacle.limit == "min_generation":
            return (
                f"is not searched: generation {self.retrieval.generation.id} is live, and "
                f"{obstacle.condition} was asked for."
            )
        if obstacle.limit == "principals":
            return (
                "is kept out by its principals: only those that it names find it; name one of them "
                "in the search, or change its principals at the source."
            )
        if obstacle.limit == "max_age":
            return (
                f"is kept out by max_age: its source was not seen to hold it within the last "
                f"{obstacle.condition:g} s; sync the source, or ask with a larger max_age."
            )
        return (
            f"is kept out by {obstacle.place}, which none of its chunks satisfies: leave that "
            "condition out, or correct the document's metadata at the source."
        )


_NOTHING: tuple[None, None, None] = (None, None, None)


def _find(candidates: Sequence[Candidate], entry_id: int) -> Candidate | None:
    return next((one for one in candidates if one.id == entry_id), None)


def _read_state(row: RowMapping) -> DocumentState:
    return DocumentState(
        state=row["state"],
        chunks=row["entry_count"],
        error_name=row["error_name"],
        error=row["error"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        noticed_at=row["noticed_at"],
        missing_since=row["missing_since"],
        visible_at=row["visible_at"],
    )


def _say_state(row: RowMapping) -> str:
    """Why a document has no entry, and what to do."""
    error = f" ({row['error_name']}: {row['error']})" if row["error_name"] else ""
    source, document_id = row["source"], row["document_id"]
    at = row["next_attempt_at"]
    again = "" if at is None else f"; it is tried again at {at:%Y-%m-%d %H:%M} UTC"
    says = {
        "failed": f"could not be read{error}: correct it at its source, or run "
        f"`ragline retry {source} {document_id}`"
        f"{again}.",
        "quarantined": f"is quarantined{error}: correct it at its source, or run `ragline "
        f"quarantine release {source} {document_id}` and sync.",
        "unsupported": f"is of a format that no installed reader reads{error}: install the reader, "
        "or store the document in another format.",
        "missing": "is not in its source any more: put it back there and sync.",
        "removed": "is not in its source any more: put it back there and sync.",
        "pending": f"was listed and is not indexed yet: run `ragline sync {source}`.",
    }
    if row["state"] == "ready" and row["chunk_count"] == 0:
        return "holds no text: there is nothing in it that could be found."
    waits = f"is not in the live index yet: run `ragline sync {source}`."
    return says.get(row["state"], waits)


def _join(words: Sequence[str]) -> str:
    shown = ", ".join(words[:SHOWN_WORDS])
    return shown if len(words) <= SHOWN_WORDS else f"{shown} and {len(words) - SHOWN_WORDS} more"
