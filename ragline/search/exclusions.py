"""Finds the limits that exclude a document: principals, filter, `max_age`, `min_generation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, RowMapping

from ragline.search.candidates import NO_CONDITION, Retrieval, bind_filter, list_principals
from ragline.search.explanation_messages import Exclusion
from ragline.search.filters import Condition, compile_filter, split_filter
from ragline.search.messages import SearchRequest
from ragline.search.retrieval_plan import MAX_AGE_SQL


def select_document_entries(
    connection: Connection,
    retrieval: Retrieval,
    document_key: int,
    condition: Condition | None = None,
) -> list[RowMapping]:
    """Return the entries of a document: (id, is_admitted, is_matching), in the document's order.

    `is_admitted` says whether the principals of the search may read the entry. `is_matching` says
    whether the entry satisfies `condition`, which is by default the condition of the search.
    """
    wanted = condition or retrieval.condition or NO_CONDITION
    statement = bind_filter("search/select_explained_entries", retrieval.generation.id, wanted.sql)
    parameters = {
        **wanted.values,
        "principals": list_principals(retrieval.principals),
        "document_key": document_key,
    }
    return list(connection.execute(statement, parameters).mappings())


def find_exclusions(
    connection: Connection,
    request: SearchRequest,
    retrieval: Retrieval,
    document: RowMapping,
    entries: Sequence[RowMapping],
) -> tuple[Exclusion, ...]:
    """Return the limits of a search that exclude every entry of a document.

    `document` is a row of `search/select_explained_documents`. `entries` are the rows of
    `select_document_entries`.
    """
    found: list[Exclusion] = []
    wanted = request.min_generation
    if wanted is not None and retrieval.generation.id < wanted:
        found.append(Exclusion("min_generation", condition=wanted))
    if not document["is_admitted"] or (entries and not any(one["is_admitted"] for one in entries)):
        found.append(Exclusion("principals"))
    if not entries or any(one["is_matching"] for one in entries):
        return tuple(found)

    def is_satisfied(condition: Condition) -> bool:
        rows = select_document_entries(connection, retrieval, document["id"], condition)
        return any(one["is_matching"] for one in rows)

    found += _find_unsatisfied(request, is_satisfied)
    return tuple(found) or (Exclusion("filter", "filter", dict(request.filter or {})),)


def _find_unsatisfied(
    request: SearchRequest, is_satisfied: Callable[[Condition], bool]
) -> Iterator[Exclusion]:
    """Yield the parts of the filter, and the `max_age`, that no entry of the document satisfies."""
    if request.filter and not is_satisfied(compile_filter(request.filter)):
        parts = [
            Exclusion("filter", path, part)
            for path, part in split_filter(request.filter)
            if not is_satisfied(compile_filter(part))
        ]
        # Each part of the filter can be satisfied, but by different entries. Then the exclusion is
        # the whole filter.
        yield from parts or [Exclusion("filter", "filter", dict(request.filter))]
    if request.max_age is not None and not is_satisfied(
        Condition(MAX_AGE_SQL, {"max_age": request.max_age})
    ):
        yield Exclusion("max_age", condition=request.max_age.total_seconds())
