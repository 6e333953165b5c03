"""The sentences that explain why a document is a hit or not, and what to change."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping

from ragline.search.explanation_messages import Reason
from ragline.search.query_words import QueryWord, list_partial_words
from ragline.search.search_evidence import SearchEvidence

SHOWN_WORDS = 8


def describe_reason(
    evidence: SearchEvidence, reason: Reason, rank: int | None, words: Sequence[QueryWord]
) -> str:
    """Return a sentence with the reason, and one with the words that the document lacks."""
    name = f"Document {evidence.document['document_id']!r}"
    partial = list_partial_words(words)
    partly = f" It has only parts of: {_join(partial)}." if partial else ""
    if reason == "hit":
        return f"{name} is hit {rank} of this search.{partly}"
    missing = [word.word for word in words if not word.is_matched]
    lacking = (f" It lacks: {_join(missing)}." if missing else "") + partly
    if reason in ("not_indexed", "no_text"):
        return f"{name} {_describe_state(evidence.document)}"
    if evidence.exclusions:
        return f"{name} {_describe_exclusion(evidence)}"
    if reason == "no_word":
        return (
            f"{name} contains no word of the query; search for words that it contains, or in mode "
            "hybrid."
        )
    return f"{name} {_describe_hit_limit(evidence, reason)}{lacking}"


def _describe_hit_limit(evidence: SearchEvidence, reason: Reason) -> str:
    """Describe why a document has no hit although no limit excludes it, and what to change."""
    unsure = evidence.find_unsure_hit()
    if unsure is not None:
        least = evidence.rule.min_confidence
        return (
            f"is found with the confidence {unsure.confidence or 0:g}, and min_confidence "
            f"{least:g} removes it: a lower min_confidence would show it."
        )
    answer = evidence.find_answer_rank()
    if answer is not None:
        after = " after reranking" if reason == "reranked" else ""
        return (
            f"has rank {answer}{after} and {evidence.request.top_k} hits were asked for: a top_k "
            f"of {answer} or more would show it."
        )
    return _describe_rank(evidence)


def _describe_rank(evidence: SearchEvidence) -> str:
    best = next(iter(evidence.ranked.fused), None)
    rank = evidence.count_fused_rank(best)
    if rank is None:
        return "is found by no leg: other entries contain the rare words of the query."
    if rank <= evidence.request.top_k:
        return (
            "was missed by the vector index, which is approximate: with `exact` it has "
            f"rank {rank}."
        )
    return (
        f"has rank {rank}, behind the last of {len(evidence.entries)} candidates: a top_k of "
        f"{rank} or more would show it, or a query nearer to its words."
    )


def _describe_exclusion(evidence: SearchEvidence) -> str:
    exclusion = evidence.exclusions[0]
    if exclusion.limit == "min_generation":
        return (
            f"is not searched: generation {evidence.retrieval.generation.id} is live, and "
            f"{exclusion.condition} was asked for."
        )
    if exclusion.limit == "principals":
        return (
            "is excluded by its principals: only the principals that it names find it; name one of "
            "them in the search, or change its principals at the source."
        )
    if exclusion.limit == "max_age":
        return (
            "is excluded by max_age: its source did not confirm it within the last "
            f"{exclusion.condition:g} s; sync the source, or search with a larger max_age."
        )
    return (
        f"is excluded by {exclusion.place}, which none of its chunks satisfies: leave that "
        "condition out, or correct the document's metadata at the source."
    )


def _describe_state(document: RowMapping) -> str:
    """Describe why a document has no entry, and what to do."""
    name, message = document["error_name"], document["error"]
    error = f" ({name}: {message})" if name else ""
    source, document_id = document["source"], document["document_id"]
    at = document["next_attempt_at"]
    again = "" if at is None else f"; it is tried again at {at:%Y-%m-%d %H:%M} UTC"
    descriptions = {
        "failed": f"could not be read{error}: correct it at its source, or run "
        f"`ragline retry {source} {document_id}`{again}.",
        "quarantined": f"is quarantined{error}: correct it at its source, or run `ragline "
        f"quarantine release {source} {document_id}` and sync.",
        "unsupported": f"has a format that no installed reader reads{error}: install the reader, "
        "or store the document in another format.",
        "missing": "is not in its source any more: put it back there and sync.",
        "removed": "is not in its source any more: put it back there and sync.",
        "pending": f"was listed and is not indexed yet: run `ragline sync {source}`.",
    }
    if document["state"] == "ready" and document["chunk_count"] == 0:
        return "contains no text that a search could find."
    not_indexed = f"is not in the live index yet: run `ragline sync {source}`."
    return descriptions.get(document["state"], not_indexed)


def _join(words: Sequence[str]) -> str:
    shown = ", ".join(words[:SHOWN_WORDS])
    return shown if len(words) <= SHOWN_WORDS else f"{shown} and {len(words) - SHOWN_WORDS} more"
