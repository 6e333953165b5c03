"""The metadata of a hit for frameworks such as LangChain and LlamaIndex."""

from __future__ import annotations

from typing import Any

from ragline.search.messages import Hit, SearchAnswer


def describe_hit(hit: Hit, answer: SearchAnswer) -> dict[str, Any]:
    """The document's metadata, and the origin of the hit, which wins over equal keys.

    Feedback needs `request_id` and `document_id`.
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
