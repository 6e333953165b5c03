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
    r.id, r.requested_at, r.hit_count, r.stale_count, r.total_ms, r.is_canary as is_new,
    coalesce(r.client, r.id::text) as client,
    r.generation_id <> cast(:candidate_id as bigint) as is_failure,
    f.since
  from ragline.search_requests as r
  join first_answer as f on r.requested_at >= f.since
  where r.collection = cast(:collection as text)
  order by r.requested_at desc
  limit cast(:most as integer)
),
limits as (
  select
    greatest(
      cast(:latency_ratio as double precision)
      * percentile_cont(0.5) within group (order by total_ms),
      percentile_cont(0.5) within group (order by total_ms)
      + cast(:slower_ms as double precision)
    ) as slow_ms
  from searches
  where not is_new
),
counted as (
  select
    s.is_new,
    s.client,
    s.since,
    s.is_failure,
    s.hit_count = 0 as is_empty,
    s.stale_count > 0 as is_stale,
    s.total_ms > limits.slow_ms as is_slow,
    limits.slow_ms,
    s.requested_at < now() - make_interval(secs => cast(:click_s as double precision))
      as is_clickable,
    exists (
      select
      from ragline.given_feedback as f
      where
        f.request_id = s.id
        and f.kind in ('click', 'answer_used', 'useful')
        and f.given_at < s.requested_at
          + make_interval(secs => cast(:click_s as double precision))
    ) as is_clicked
  from searches as s
  cross join limits
)
select
  is_new,
  client,
  max(since) as since,
  max(slow_ms) as slow_ms,
  count(*) as searches,
  count(*) filter (where is_failure) as failures,
  count(*) filter (where is_empty) as zero_results,
  count(*) filter (where is_stale) as stale,
  count(*) filter (where is_slow) as slow,
  count(*) filter (where is_clickable) as clickable,
  count(*) filter (where is_clickable and is_clicked) as clicked
from counted
group by is_new, client
order by is_new, client
