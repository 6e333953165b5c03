-- Returns the queries of a collection without a hit between :start and :end, each once: (query,
-- count, last_at), most frequent first. Queries whose text was not recorded are left out.
select
  r.query,
  count(*) as count,
  max(r.requested_at) as last_at
from ragline.search_requests as r
where
  r.collection = cast(:collection as text)
  and r.hit_count = 0
  and r.query <> ''
  and left(r.query, 7) <> 'sha256:'
  and r.requested_at >= cast(:start as timestamptz)
  and r.requested_at < cast(:end as timestamptz)
group by r.query
order by count(*) desc, max(r.requested_at) desc, r.query
limit cast(:limit as integer)
