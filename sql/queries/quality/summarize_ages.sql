-- Returns one row for each collection: the ages of hits in seconds (p50, p95, p99), in the newest
-- :most searches between :start and :end.
with searches as (
  select collection, hits
  from ragline.search_requests
  where
    requested_at >= cast(:start as timestamptz)
    and requested_at < cast(:end as timestamptz)
    and (cast(:collection as text) is null or collection = cast(:collection as text))
  order by requested_at desc
  limit cast(:most as integer)
)
select
  a.collection,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (
    order by (h.hit ->> 'age_seconds')::double precision
  ) as age_seconds
from searches as a
cross join lateral jsonb_array_elements(a.hits) as h (hit)
group by a.collection
