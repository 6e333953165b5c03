-- The feedback on the documents of a collection's searches between :start and :end, by query:
-- (query, document_id, useful, not_useful, clicks), the most frequent pairs first, at most :most.
-- Queries whose text was not recorded are left out.
select
  r.query,
  f.document_id,
  count(*) filter (where f.kind in ('useful', 'answer_used')) as useful,
  count(*) filter (where f.kind = 'not_useful') as not_useful,
  count(*) filter (where f.kind = 'click') as clicks
from ragline.given_feedback as f
join ragline.search_requests as r on r.id = f.request_id
where
  r.collection = cast(:collection as text)
  and r.query <> ''
  and left(r.query, 7) <> 'sha256:'
  and r.requested_at >= cast(:start as timestamptz)
  and r.requested_at < cast(:end as timestamptz)
group by r.query, f.document_id
order by count(*) desc, r.query, f.document_id
limit cast(:most as integer)
