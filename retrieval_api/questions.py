"""From what a client of another shape asks to the library's question.

`SearchBody` makes its own; this is for the shapes that have their own names for things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from fastapi.exceptions import RequestValidationError

from ragline.search.messages import SearchRequest


def make_question(
    collection: str,
    queries: Sequence[str],
    *,
    top_k: int,
    rerank: bool = False,
    condition: Mapping[str, Any] | None = None,
) -> SearchRequest:
    """A question that nobody in particular asks: it finds what everybody may read.

    `condition` is a filter in the grammar of `POST /v1/search`.

    Raises:
        RequestValidationError: there is a condition, and searches know none.
    """
    # joined with the core's filters on merge
    known = {field.name for field in fields(SearchRequest)}
    values: dict[str, Any] = {"collection": collection, "top_k": top_k, "rerank": rerank}
    if "alternatives" in known:
        values |= {"query": queries[0], "alternatives": tuple(queries[1:])}
    else:
        values["query"] = "\n".join(queries)
    if condition is not None:
        if "filter" not in known:
            fault = {"type": "filter", "loc": ("body", "filters"), "msg": "is not possible yet"}
            raise RequestValidationError([fault])
        values["filter"] = condition
    return SearchRequest(**values)
