-- Returns (collection, age_seconds) of at most 10,000 hits of searches between :start and :end,
-- newest searches first.
select
  r.collection,
  (h.hit ->> 'age_seconds')::double precision as age_seconds
from ragline.search_requests as r
cross join lateral jsonb_array_elements(r.hits) as h (hit)
where
  r.requested_at >= cast(:start as timestamptz)
  and r.requested_at < cast(:end as timestamptz)
order by r.requested_at desc
limit 10000
