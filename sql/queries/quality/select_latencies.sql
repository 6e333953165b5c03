-- Returns (collection, total_ms) of at most 10,000 searches between :start and :end, newest first.
select collection, total_ms
from ragline.search_requests
where
  requested_at >= cast(:start as timestamptz)
  and requested_at < cast(:end as timestamptz)
order by requested_at desc
limit 10000
