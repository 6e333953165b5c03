"""What frameworks are told of a hit beside its text."""

from __future__ import annotations

from typing import Any

from ragline.search.messages import Hit, SearchAnswer


def describe_hit(hit: Hit, answer: SearchAnswer) -> dict[str, Any]:
    """The document's own metadata, and where the hit is from; the latter wins over the former.

    `request_id` and `document_id` are what feedback asks for.
    """
    return {
        **hit.metadata,
        "source": hit.source,
        "document_id": hit.document_id,
        "title": hit.title,
        "heading_path": list(hit.heading_path),
        "page": hit.page,
        "rank": hit.rank,
        "score": hit.score,
        "generation": answer.generation,
        "request_id": str(answer.request_id),
    }


def name_entry(hit: Hit) -> str:
    """A name of the hit that is the same as long as its index serves."""
    return f"{hit.receipt.generation}-{hit.receipt.entry_id}"
