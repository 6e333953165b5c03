"""The metadata of a hit for frameworks such as LangChain and LlamaIndex."""

from __future__ import annotations

from typing import Any

from ragline.search.messages import Hit, SearchAnswer


def describe_hit(hit: Hit, answer: SearchAnswer) -> dict[str, Any]:
    """The metadata of the document and the origin of the hit in one mapping.

    A field of the origin, such as `title`, replaces a metadata field with the same name. Feedback
    about the hit needs `request_id` and `document_id`.
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
        "confidence": hit.confidence,
        "generation": answer.generation,
        "request_id": str(answer.request_id),
    }
