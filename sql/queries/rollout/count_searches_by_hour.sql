-- Returns one row for each group, day and hour with searches: counts of the searches of a
-- collection. The new group has the searches of :generation_id from :start to :end. The other group
-- has the searches of other generations in the days before :promoted_at, during the first day only
-- in the hours of :elapsed_s. `day` counts from :reference_start. At most :most searches of each
-- group are counted, newest first. `slow_ms` is the duration from which a search is slow.
with old as (
  select
{columns/search_facts}
  from ragline.search_requests as r
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
  select
{columns/search_facts}
  from ragline.search_requests as r
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
{columns/slow_limit}
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
{columns/search_events}
  from searches as s
  cross join limits
)
select
  is_new,
  day,
  hour,
{columns/figure_counts}
from counted
group by is_new, day, hour
order by is_new, hour, day
