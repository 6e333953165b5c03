-- One row: why a source has work to do that no probe shows, since a moment: retries, documents to
-- place anew, removals under way. Counts, all 0 when there is none.
select
  count(*) filter (
    where d.state in ('failed', 'unsupported') and d.next_attempt_at <= now()
  ) as retries,
  count(*) filter (
    where
      d.state = 'pending'
      and (
        cast(:since as timestamptz) is null or d.noticed_at > cast(:since as timestamptz)
      )
  ) as reopened,
  count(*) filter (
    where
      d.state = 'missing'
      and (
        cast(:since as timestamptz) is null or d.missing_since > cast(:since as timestamptz)
      )
  ) as leaving
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
where s.name = cast(:source as text) and d.state <> 'ready'
