"""From what a client of another shape asks to the library's question.

`SearchBody` makes its own; this is for the shapes that have their own names for things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragline.search.messages import SearchRequest


def make_question(
    collection: str,
    queries: Sequence[str],
    *,
    top_k: int,
    rerank: bool = False,
    condition: Mapping[str, Any] | None = None,
) -> SearchRequest:
    """A question that nobody in particular asks: it finds what everybody may read, or the key.

    `condition` is a filter in the grammar of `POST /v1/search`.
    """
    return SearchRequest(
        collection=collection,
        query=queries[0],
        alternatives=tuple(queries[1:]),
        top_k=top_k,
        rerank=rerank,
        filter=condition,
    )
