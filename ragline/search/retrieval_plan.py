"""Plans the retrieval of a search: the condition on its entries, and the number of candidates."""

from __future__ import annotations

from ragline.configuration import CollectionSettings
from ragline.search.candidates import Retrieval, Vector
from ragline.search.deadline import Deadline
from ragline.search.filters import Condition, compile_filter
from ragline.search.live_generation import LiveGeneration
from ragline.search.messages import SearchRequest

# With `max_per_document`, some candidates are left out of the answer. Therefore more candidates are
# fetched.
CANDIDATES_PER_HIT = 10
MAX_CANDIDATES = 1_000
# The condition of `max_age` on an entry `e`. It is true if the source confirmed the entry within
# the last `max_age`. It is also true if the change that replaces the entry is younger than
# `max_age`.
MAX_AGE_SQL = """\
exists (
  select
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  where
    d.id = e.document_key
    and s.proven_at >= now() - cast(:max_age as interval)
    and (
      (d.version = e.source_version and d.state not in ('missing', 'removed'))
      or coalesce(d.clock_started_at, d.noticed_at) >= now() - cast(:max_age as interval)
    )
)"""


def plan_retrieval(
    request: SearchRequest,
    settings: CollectionSettings,
    condition: Condition | None,
    generation: LiveGeneration,
    vectors: tuple[Vector | None, ...],
    deadline: Deadline,
) -> Retrieval:
    """Return how the candidates of a request are retrieved from a generation."""
    return Retrieval(
        generation=generation,
        settings=settings.search,
        mode=request.mode,
        queries=request.queries,
        vectors=vectors,
        limit=_limit_candidates(request, settings, request.top_k),
        min_depth=_limit_candidates(request, settings, request.depth_top_k or request.top_k),
        principals=request.principals,
        condition=condition,
        exact=request.exact,
        ef_search=settings.vector_index.ef_search,
        deadline=deadline,
    )


def make_condition(request: SearchRequest) -> Condition | None:
    """Return the condition of a request's filter and `max_age`, or None if it has neither.

    This condition does not contain the principals, because each statement has its own condition on
    them.

    Raises:
        InvalidFilterError: the filter is malformed.
    """
    conditions = []
    if request.filter:
        conditions.append(compile_filter(request.filter))
    if request.max_age is not None:
        conditions.append(Condition(MAX_AGE_SQL, {"max_age": request.max_age}))
    if not conditions:
        return None
    values = {name: value for one in conditions for name, value in one.values.items()}
    return Condition(" and ".join(f"({one.sql})" for one in conditions), values)


def _limit_candidates(request: SearchRequest, settings: CollectionSettings, top_k: int) -> int:
    """Return the number of candidates that are fetched for `top_k` hits."""
    wanted = top_k
    if request.rerank:
        wanted = max(wanted, settings.search.rerank_candidates)
    if request.max_per_document is not None:
        wanted = min(max(wanted, CANDIDATES_PER_HIT * top_k), MAX_CANDIDATES)
    return wanted
