-- Returns the number of clicks on each rank in searches between :start and :end: (collection, rank,
-- clicks), in order of collection and rank.
select
  r.collection,
  f.rank,
  count(*) as clicks
from ragline.given_feedback as f
join ragline.search_requests as r on r.id = f.request_id
where
  f.kind = 'click'
  and r.requested_at >= cast(:start as timestamptz)
  and r.requested_at < cast(:end as timestamptz)
  and (cast(:collection as text) is null or r.collection = cast(:collection as text))
group by r.collection, f.rank
order by r.collection, f.rank
