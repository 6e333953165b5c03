-- Returns the newest :count searches of a collection between :start and :end that have no hit, or
-- whose verdicts are all `not_useful`: (query, reason). A search without a hit has found nothing, or
-- only hits whose confidence is too low.
select
  r.query,
  case
    when r.is_abstained then 'abstained'
    when r.hit_count = 0 then 'zero_results'
    else 'not_useful'
  end as reason
from ragline.search_requests as r
where
  r.collection = cast(:collection as text)
  and r.query <> ''
  and left(r.query, 7) <> 'sha256:'
  and r.requested_at >= cast(:start as timestamptz)
  and r.requested_at < cast(:end as timestamptz)
  and (
    r.hit_count = 0
    or (
      select bool_and(f.kind = 'not_useful')
      from ragline.given_feedback as f
      where f.request_id = r.id and f.kind in ('useful', 'not_useful')
    )
  )
order by r.requested_at desc
limit cast(:count as integer)
