-- Returns the documents of a source that at the time :now have waited longer than their limit:
-- (document_id, state, waiting_since, error, next_attempt_at). The longest wait comes first. Each
-- state has at most :limit documents. The documents of the first listing are not changes, and
-- documents with an error of :refusals are not late.
select w.document_id, w.state, w.waiting_since, w.error, w.next_attempt_at
from (
  select
    d.document_id,
    d.state,
    t.waiting_since,
    case when d.error_name is not null then d.error_name || ': ' || d.error end as error,
    d.next_attempt_at,
    row_number() over (partition by d.state order by t.waiting_since, d.document_id) as position
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  cross join lateral (
    select
      case
        when d.state = 'missing' then coalesce(d.clock_started_at, d.missing_since)
        else coalesce(d.clock_started_at, d.noticed_at)
      end as waiting_since
  ) as t
  where
    d.source_id = cast(:source_id as bigint)
    and d.state in ('pending', 'failed', 'missing')
    and not (d.state = 'failed' and d.error_name = any(cast(:refusals as text[])))
    and (
      d.state = 'missing'
      or d.clock_started_at is not null
      or d.visible_at is not null
      or d.noticed_at > coalesce(s.first_listed_at, '-infinity')
    )
    and cast(:now as timestamptz) - t.waiting_since
      > case when d.state = 'missing' then s.forgotten_within else s.visible_within end
) as w
where w.position <= cast(:limit as integer)
order by w.waiting_since, w.document_id
