-- Returns one row for each group, day and hour with searches: counts of the searches of a
-- collection. The new group has the searches of :generation_id from :start to :end. The other group
-- has the searches of other generations in the days before :promoted_at, during the first day only
-- in the hours of :elapsed_s. `day` counts from :reference_start. At most :most searches of each
-- group are counted, newest first. `slow_ms` is the duration from which a search is slow.
with old as (
  select id, requested_at, hit_count, stale_count, total_ms
  from ragline.search_requests
  where
    collection = cast(:collection as text)
    and generation_id <> cast(:generation_id as bigint)
    and requested_at >= cast(:reference_start as timestamptz)
    and requested_at < cast(:promoted_at as timestamptz)
    and mod(
      extract(epoch from requested_at - cast(:reference_start as timestamptz))::numeric, 86400
    ) < cast(:elapsed_s as numeric)
  order by requested_at desc
  limit cast(:most as integer)
),
new as (
  select id, requested_at, hit_count, stale_count, total_ms
  from ragline.search_requests
  where
    collection = cast(:collection as text)
    and generation_id = cast(:generation_id as bigint)
    and requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
  order by requested_at desc
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
  from old
),
searches as (
  select false as is_new, o.* from old as o
  union all
  select true as is_new, n.* from new as n
),
counted as (
  select
    s.is_new,
    floor(
      extract(epoch from s.requested_at - cast(:reference_start as timestamptz)) / 86400
    )::integer as day,
    date_trunc('hour', s.requested_at) as hour,
    s.hit_count = 0 as is_empty,
    s.stale_count > 0 as is_stale,
    s.total_ms > limits.slow_ms as is_slow,
    limits.slow_ms,
    s.requested_at < cast(:end as timestamptz)
      - make_interval(secs => cast(:click_s as double precision)) as is_clickable,
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
  day,
  hour,
  max(slow_ms) as slow_ms,
  count(*) as searches,
  count(*) filter (where is_empty) as zero_results,
  count(*) filter (where is_stale) as stale,
  count(*) filter (where is_slow) as slow,
  count(*) filter (where is_clickable) as clickable,
  count(*) filter (where is_clickable and is_clicked) as clicked
from counted
group by is_new, day, hour
order by is_new, hour, day
