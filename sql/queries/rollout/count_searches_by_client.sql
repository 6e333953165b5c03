-- Returns one row for each group and client: counts of the searches of a collection since the first
-- answer of :candidate_id to a caller of the canary. The new group has the searches of callers of
-- the canary. `failures` counts those that another generation has answered. A search without a
-- client is a client of its own. At most :most searches are counted, newest first. `slow_ms` is the
-- duration from which a search is slow.
with first_answer as (
  select min(requested_at) as since
  from ragline.search_requests
  where
    collection = cast(:collection as text)
    and generation_id = cast(:candidate_id as bigint)
    and is_canary
),
searches as (
  select
    r.is_canary as is_new,
    coalesce(r.client, r.id::text) as client,
    r.generation_id <> cast(:candidate_id as bigint) as is_failure,
    f.since,
{columns/search_facts}
  from ragline.search_requests as r
  join first_answer as f on r.requested_at >= f.since
  where r.collection = cast(:collection as text)
  order by r.requested_at desc
  limit cast(:most as integer)
),
limits as (
  select
{columns/slow_limit}
  from searches
  where not is_new
),
counted as (
  select
    s.is_new,
    s.client,
    s.since,
    s.is_failure,
{columns/search_events}
  from searches as s
  cross join limits
)
select
  is_new,
  client,
  max(since) as since,
  count(*) filter (where is_failure) as failures,
{columns/figure_counts}
from counted
group by is_new, client
order by is_new, client
